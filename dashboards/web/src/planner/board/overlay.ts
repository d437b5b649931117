import type { Bar, Model } from './model'
import { HEADER, NAMES, type View } from './view'

// A few SVG shapes over the canvas, for what moves: now, the links of an order, what is chosen.

const SPACE = 'http://www.w3.org/2000/svg'

function shape(parent: Element, name: string, kind: string): SVGElement {
  const element = document.createElementNS(SPACE, name)
  element.setAttribute('class', kind)
  parent.append(element)
  return element
}

function put(element: Element, attributes: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(attributes)) {
    const text = String(value)
    if (element.getAttribute(name) !== text) element.setAttribute(name, text)
  }
}

export class Overlay {
  private readonly svg: SVGSVGElement
  private readonly now: SVGElement
  private readonly links: SVGElement
  private readonly chosen: SVGElement

  constructor(host: HTMLElement) {
    this.svg = document.createElementNS(SPACE, 'svg')
    this.svg.setAttribute('class', 'overlay')
    this.svg.setAttribute('aria-hidden', 'true')
    host.append(this.svg)
    this.links = shape(this.svg, 'path', 'links')
    this.now = shape(this.svg, 'path', 'now')
    this.chosen = shape(this.svg, 'rect', 'chosen')
  }

  draw(view: View, model: Model, order: string | null, chosen: Bar | null, now: number): void {
    put(this.svg, { width: view.width, height: view.height })
    const x = view.x(now)
    put(this.now, { d: x > NAMES && x < view.width ? `M${x} ${view.height}V${HEADER}l-5 -8h10l-5 8` : '' })
    put(this.links, { d: order ? this.path(view, model, order) : '' })
    const shown = chosen && view.x(chosen.end) > NAMES
    put(this.chosen, shown ? this.frame(view, chosen) : { width: 0, height: 0 })
  }

  remove(): void {
    this.svg.remove()
  }

  private frame(view: View, bar: Bar): Record<string, number> {
    const x = Math.max(NAMES, view.x(bar.start))
    return { x: x - 2, y: view.y(bar.row) + 2, width: Math.max(3, view.x(bar.end) - x) + 4, height: view.row_height - 4, rx: 5 }
  }

  private path(view: View, model: Model, order: string): string {
    return model
      .links(order)
      .map(({ from, to }) => {
        const [x1, y1] = [view.x(from.end), view.y(from.row) + view.row_height / 2]
        const [x2, y2] = [view.x(to.start), view.y(to.row) + view.row_height / 2]
        if (Math.max(x1, x2) < NAMES) return ''
        const bend = Math.max(10, Math.min(40, Math.abs(x2 - x1) / 2))
        return `M${Math.max(x1, NAMES)} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
      })
      .join('')
  }
}
