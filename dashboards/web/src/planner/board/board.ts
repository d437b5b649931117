import { step, WALKING } from './keyboard'
import { Model, type Bar } from './model'
import { Overlay } from './overlay'
import { paint, type Clock } from './paint'
import { attachPointer } from './pointer'
import { readColours, type Colours } from './theme'
import { View } from './view'

export interface BoardEvents {
  choose: (bar: Bar | null) => void
  hover: (bar: Bar | null, x: number, y: number) => void
}

/** The scheduling board: a canvas for what stands, SVG for what moves, at most one draw a frame. */
export class Board {
  private model = new Model([], [])
  private ghosts: Model | null = null
  private view = new View(Date.now() - 1_800_000, Date.now() + 6 * 3_600_000, 0)
  private colours: Colours
  private order: string | null = null
  private chosen: Bar | null = null
  private fitted = false
  private frame = 0
  private readonly canvas = document.createElement('canvas')
  private readonly pen: CanvasRenderingContext2D
  private readonly overlay: Overlay
  private readonly watch: ResizeObserver
  private readonly detach: () => void
  private readonly scheme = matchMedia('(prefers-color-scheme: dark)')
  private readonly themeWatch: MutationObserver

  constructor(
    private readonly host: HTMLElement,
    private readonly clock: Clock,
    private readonly events: BoardEvents,
  ) {
    this.canvas.setAttribute('aria-hidden', 'true')
    host.append(this.canvas)
    this.pen = this.canvas.getContext('2d', { alpha: false }) as CanvasRenderingContext2D
    this.colours = readColours(host)
    this.overlay = new Overlay(host)
    this.watch = new ResizeObserver(() => this.resize())
    this.watch.observe(host)
    this.themeWatch = new MutationObserver(() => this.recolour())
    this.themeWatch.observe(document.documentElement, { attributeFilter: ['data-theme', 'lang'] })
    this.scheme.addEventListener('change', this.recolour)
    this.detach = attachPointer(this.canvas, {
      model: () => this.model,
      view: () => this.view,
      redraw: () => this.redraw(),
      hover: events.hover,
      choose: (bar) => this.choose(bar),
    })
  }

  show(model: Model, ghosts: Model | null): void {
    const { from, px_per_ms, top, width, height } = this.view
    this.model = model
    this.ghosts = ghosts
    this.view = Object.assign(new View(0, 1, model.rows.length, width), { from, px_per_ms, top })
    if (width > 0) this.view.resize(width, height)
    this.chosen = this.chosen ? (model.get(this.chosen.id) ?? null) : null
    if (!this.fitted) this.fit()
    this.redraw()
  }

  /** Shows what is left of the plan: twelve minutes at least, eight hours at most. */
  fit(): void {
    const { span } = this.model
    if (!span) return
    const now = Date.now()
    const length = Math.min(8 * 3_600_000, Math.max(720_000, (span.to - now) * 1.06))
    this.view.show(now - length / 6, now + length)
    this.fitted = true
    this.redraw()
  }

  zoom(factor: number): void {
    this.view.zoom(factor, this.view.x(Math.max(Date.now(), this.view.from)))
    this.redraw()
  }

  highlight(order: string | null): void {
    this.order = order
    this.redraw()
  }

  /** Chooses a bar and brings it into view. */
  choose(bar: Bar | null): void {
    this.chosen = bar
    this.order = bar?.order ?? null
    if (bar) this.reveal(bar)
    this.events.choose(bar)
    this.redraw()
  }

  chooseOrder(order: string | null): void {
    const bars = order ? this.model.ofOrder(order) : []
    this.choose(bars.find((bar) => bar.status !== 'done') ?? bars[0] ?? null)
  }

  onKey(event: KeyboardEvent): void {
    if (event.key === '+' || event.key === '-') this.zoom(event.key === '+' ? 1.4 : 1 / 1.4)
    else if (event.key === 'Escape') this.choose(null)
    else if (WALKING.has(event.key)) this.choose(step(this.model, this.chosen, event.key))
    else return
    event.preventDefault()
  }

  redraw(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0
      this.draw()
    })
  }

  remove(): void {
    cancelAnimationFrame(this.frame)
    this.watch.disconnect()
    this.themeWatch.disconnect()
    this.scheme.removeEventListener('change', this.recolour)
    this.detach()
    this.overlay.remove()
    this.canvas.remove()
  }

  private readonly recolour = (): void => {
    this.colours = readColours(this.host)
    this.redraw()
  }

  private reveal(bar: Bar): void {
    const { view } = this
    const [left, right] = [view.x(bar.start), view.x(bar.end)]
    if (right < 160 || left > view.width - 40) view.from = bar.start - (view.to - view.from) / 4
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.host
    if (!width || !height) return
    const ratio = devicePixelRatio
    this.canvas.width = Math.round(width * ratio)
    this.canvas.height = Math.round(height * ratio)
    this.canvas.style.width = `${width}px`
    this.canvas.style.height = `${height}px`
    this.view.resize(width, height)
    this.draw()
  }

  private draw(): void {
    const { model, view, colours, clock, order, ghosts } = this
    this.pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0)
    paint(this.pen, { model, view, colours, clock, order, ghosts })
    this.overlay.draw(view, model, order, this.chosen, Date.now())
  }
}
