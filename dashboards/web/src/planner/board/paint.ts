import type { Bar, Model } from './model'
import { familyColour, type Colours } from './theme'
import { HEADER, NAMES, type View } from './view'

// The canvas: everything that stands. What moves is drawn by overlay.ts.

export interface Clock {
  /** Offset of the site's time zone from UTC at this instant, ms. */
  offset(at: number): number
  hour(at: number): string
  day(at: number): string
}
export interface Scene {
  model: Model
  view: View
  colours: Colours
  clock: Clock
  /** Bars of this order stand out; the others step back. */
  order: string | null
  ghosts: Model | null
}

const PAD = 5

function shades(g: CanvasRenderingContext2D, { model, view, colours }: Scene): void {
  model.rows.forEach((row, index) => {
    const y = view.y(index)
    if (y > view.height || y + view.row_height < HEADER) return
    for (const shade of row.shades) {
      g.fillStyle = shade.kind === 'closed' ? colours.sunken : colours['bad-soft']
      const from = Math.max(NAMES, view.x(shade.from))
      const to = Math.min(view.width, view.x(shade.to))
      if (to > from) g.fillRect(from, y, to - from, view.row_height)
    }
  })
}

function gridTimes({ view, clock }: Scene): number[] {
  const step = view.step_ms
  const offset = clock.offset(view.from)
  const first = Math.ceil((view.from + offset) / step) * step - offset
  const times: number[] = []
  for (let at = first; at < view.to; at += step) times.push(at)
  return times
}

function grid(g: CanvasRenderingContext2D, scene: Scene): void {
  const { view, colours, model } = scene
  g.fillStyle = colours.line
  for (const at of gridTimes(scene)) g.fillRect(Math.round(view.x(at)), HEADER, 1, view.height)
  for (let row = 0; row <= model.rows.length; row += 1) {
    const strong = row === 0 || model.rows[row]?.group !== model.rows[row - 1]?.group
    g.fillStyle = strong ? colours['line-strong'] : colours.line
    g.fillRect(0, Math.round(view.y(row)) - 1, view.width, 1)
  }
}

function label(g: CanvasRenderingContext2D, bar: Bar, x: number, width: number, middle: number): void {
  for (const text of [bar.label, bar.short, bar.tiny]) {
    const needed = g.measureText(text).width
    if (needed + 6 > width) continue
    g.fillText(text, x + Math.min(6, (width - needed) / 2), middle)
    return
  }
}

function drawBar(g: CanvasRenderingContext2D, bar: Bar, scene: Scene, ghost: boolean): void {
  const { view, colours, order } = scene
  const y = view.y(bar.row) + PAD
  const height = view.row_height - PAD * 2
  const x = Math.max(NAMES - 4, view.x(bar.start))
  const right = Math.min(view.width + 4, view.x(bar.end))
  const width = Math.max(1.5, right - x)
  if (ghost) {
    g.globalAlpha = 0.7
    g.strokeStyle = colours['ink-3']
    g.setLineDash([4, 3])
    g.strokeRect(x + 0.5, y - 2.5, width - 1, height + 5)
    g.setLineDash([])
    g.globalAlpha = 1
    return
  }
  const aside = order !== null && bar.order !== order
  g.globalAlpha = aside ? 0.28 : 1
  if (bar.setup_ms > 0) {
    const setup = Math.max(NAMES, view.x(bar.start - bar.setup_ms))
    g.fillStyle = colours['line-strong']
    g.fillRect(setup, y + height * 0.3, Math.max(1, x - setup), height * 0.4)
  }
  g.fillStyle = familyColour(colours, bar.family)
  g.beginPath()
  g.roundRect(x, y, width, height, 3)
  if (bar.kept) {
    g.strokeStyle = g.fillStyle
    g.setLineDash([5, 3])
    g.stroke()
    g.setLineDash([])
    g.globalAlpha *= 0.25
  }
  g.fill()
  if (bar.kept) g.globalAlpha /= 0.25
  if (bar.status === 'done') {
    g.fillStyle = colours.surface
    g.globalAlpha *= 0.5
    g.fill()
    g.globalAlpha /= 0.5
  }
  if (bar.late) {
    g.fillStyle = colours.bad
    g.fillRect(x, y + height - 4, width, 4)
  }
  if (bar.status === 'running' || bar.status === 'held') {
    g.fillStyle = bar.status === 'running' ? colours.run : colours.warn
    g.fillRect(x, y, width, 4)
  }
  if (bar.locked) {
    g.fillStyle = colours.ink
    g.fillRect(x, y, Math.min(4, width), height)
  }
  if (width > 18) {
    g.fillStyle = aside || bar.kept || bar.status === 'done' ? colours.ink : '#fff'
    g.globalAlpha = aside ? 0.6 : g.globalAlpha
    g.save()
    g.beginPath()
    g.rect(Math.max(x, NAMES), y, width, height)
    g.clip()
    label(g, bar, Math.max(x, NAMES), right - Math.max(x, NAMES), y + height / 2)
    g.restore()
  }
  g.globalAlpha = 1
}

function density(g: CanvasRenderingContext2D, scene: Scene, row: number): void {
  const { model, view, colours } = scene
  const load = new Float64Array(Math.ceil(view.width / 4) + 1)
  for (const bar of model.between(row, view.from, view.to)) {
    const first = Math.max(0, Math.floor(view.x(bar.start) / 4))
    const last = Math.min(load.length - 1, Math.floor(view.x(bar.end) / 4))
    for (let at = first; at <= last; at += 1) load[at] = (load[at] ?? 0) + 1 / Math.max(1, last - first + 1)
  }
  const most = Math.max(1, ...load)
  g.fillStyle = colours['family-1']
  const room = view.row_height - PAD * 2
  load.forEach((value, index) => {
    const height = (value / most) * room
    if (value > 0 && index * 4 >= NAMES) g.fillRect(index * 4, view.y(row) + PAD + room - height, 4, height)
  })
}

function bars(g: CanvasRenderingContext2D, scene: Scene): void {
  const { model, view } = scene
  g.font = `600 12px ${scene.colours.font}`
  g.textBaseline = 'middle'
  model.rows.forEach((_, row) => {
    if (view.y(row) > view.height || view.y(row) + view.row_height < HEADER) return
    for (const ghost of scene.ghosts?.between(row, view.from, view.to) ?? []) drawBar(g, ghost, scene, true)
    const shown = model.between(row, view.from, view.to)
    const width = shown.reduce((sum, bar) => sum + (bar.end - bar.start), 0) * view.px_per_ms
    if (shown.length > 40 && width / shown.length < 2) density(g, scene, row)
    else for (const bar of shown) drawBar(g, bar, scene, false)
  })
}

function header(g: CanvasRenderingContext2D, scene: Scene): void {
  const { view, colours, clock } = scene
  g.fillStyle = colours.surface
  g.fillRect(0, 0, view.width, HEADER)
  g.textBaseline = 'middle'
  const days: { name: string; x: number }[] = []
  for (const at of [view.from, ...gridTimes(scene)]) {
    const x = Math.max(NAMES, view.x(at))
    const name = clock.day(at)
    if (name !== days.at(-1)?.name) days.push({ name, x: x + 5 })
    if (at === view.from || view.step_ms >= 86_400_000) continue
    g.fillStyle = colours['ink-2']
    g.font = `400 12px ${colours.font}`
    g.fillText(clock.hour(at), x + 5, 33)
  }
  g.fillStyle = colours.ink
  g.font = `600 13px ${colours.font}`
  days.forEach(({ name, x }, index) => {
    const room = (days[index + 1]?.x ?? view.width) - x
    if (room > g.measureText(name).width) g.fillText(name, x, 14)
  })
  g.fillStyle = colours['line-strong']
  g.fillRect(0, HEADER - 1, view.width, 1)
}

function names(g: CanvasRenderingContext2D, { model, view, colours }: Scene): void {
  g.fillStyle = colours.surface
  g.fillRect(0, HEADER, NAMES, view.height)
  g.textBaseline = 'middle'
  model.rows.forEach((row, index) => {
    const y = view.y(index)
    if (y > view.height || y + view.row_height < HEADER) return
    const middle = y + view.row_height / 2
    g.fillStyle = colours.ink
    g.font = `600 13px ${colours.font}`
    g.fillText(row.name, 12, view.row_height > 38 ? middle - 7 : middle, NAMES - 18)
    if (view.row_height > 38) {
      g.fillStyle = colours['ink-3']
      g.font = `400 11px ${colours.font}`
      g.fillText(row.group, 12, middle + 9, NAMES - 18)
    }
  })
  g.fillStyle = colours['line-strong']
  g.fillRect(NAMES - 1, 0, 1, view.height)
}

export function paint(g: CanvasRenderingContext2D, scene: Scene): void {
  const { view, colours } = scene
  g.fillStyle = colours.surface
  g.fillRect(0, 0, view.width, view.height)
  shades(g, scene)
  grid(g, scene)
  bars(g, scene)
  names(g, scene)
  header(g, scene)
  g.fillStyle = colours.surface
  g.fillRect(0, 0, NAMES - 1, HEADER - 1)
}
