// The one place that converts between time and x, row and y.

export const HEADER = 44
export const NAMES = 132
const STEPS_MIN = [5, 10, 15, 30, 60, 120, 240, 480, 720, 1440, 2880, 10080]
const LEAST_PX_PER_MS = 900 / (21 * 86_400_000)
const MOST_PX_PER_MS = 900 / 600_000

export class View {
  from: number
  px_per_ms: number
  top = 0
  width = 800
  height = 400
  row_height = 40
  readonly rows: number

  constructor(from: number, to: number, rows: number, width = 800) {
    this.from = from
    this.width = width
    this.rows = rows
    this.px_per_ms = Math.max(1, width - NAMES) / Math.max(1, to - from)
  }

  get to(): number {
    return this.timeAt(this.width)
  }

  x(time: number): number {
    return NAMES + (time - this.from) * this.px_per_ms
  }

  timeAt(x: number): number {
    return this.from + (x - NAMES) / this.px_per_ms
  }

  y(row: number): number {
    return HEADER + row * this.row_height - this.top
  }

  rowAt(y: number): number {
    const row = Math.floor((y - HEADER + this.top) / this.row_height)
    return y < HEADER || row < 0 || row >= this.rows ? -1 : row
  }

  pan(dx: number, dy: number): void {
    this.from -= dx / this.px_per_ms
    this.top -= dy
    this.clamp()
  }

  /** Zooms by `factor` and keeps the time under `x` where it is. */
  zoom(factor: number, x: number): void {
    const fixed = this.timeAt(x)
    this.px_per_ms = Math.min(MOST_PX_PER_MS, Math.max(LEAST_PX_PER_MS, this.px_per_ms * factor))
    this.from = fixed - (x - NAMES) / this.px_per_ms
  }

  show(from: number, to: number): void {
    this.from = from
    this.px_per_ms = Math.min(MOST_PX_PER_MS, Math.max(LEAST_PX_PER_MS, (this.width - NAMES) / Math.max(1, to - from)))
  }

  resize(width: number, height: number): void {
    const { from, to } = this
    this.width = width
    this.height = height
    this.px_per_ms = Math.max(1, width - NAMES) / Math.max(1, to - from)
    const room = height - HEADER
    this.row_height = Math.min(76, Math.max(34, Math.floor(room / Math.max(1, this.rows))))
    this.clamp()
  }

  /** Milliseconds between two grid lines, so that labels stand at least 76 px apart. */
  get step_ms(): number {
    const least = 76 / this.px_per_ms / 60_000
    return (STEPS_MIN.find((step) => step >= least) ?? 10080) * 60_000
  }

  private clamp(): void {
    const most = Math.max(0, this.rows * this.row_height - (this.height - HEADER))
    this.top = Math.min(most, Math.max(0, this.top))
  }
}
