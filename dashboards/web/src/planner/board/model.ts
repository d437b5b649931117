// What stands on the board: bars in rows, sorted by start, found by binary search.

export interface Bar {
  id: string
  order: string
  label: string
  short: string
  tiny: string
  row: number
  start: number
  end: number
  setup_ms: number
  family: number
  late: boolean
  status: 'planned' | 'running' | 'done' | 'held'
  locked: boolean
  /** For a customer who has accepted a date, and whose order has not come yet. */
  kept: boolean
}
export interface Shade { from: number; to: number; kind: string }
export interface Row { id: string; name: string; group: string; shades: Shade[] }
export interface Link { from: Bar; to: Bar }

export class Model {
  readonly rows: Row[]
  readonly bars: Bar[]
  private readonly byRow: Bar[][]
  private readonly byId = new Map<string, Bar>()
  private readonly byOrder = new Map<string, Bar[]>()

  constructor(rows: Row[], bars: Bar[]) {
    this.rows = rows
    this.bars = bars
    this.byRow = rows.map(() => [])
    for (const bar of [...bars].sort((a, b) => a.start - b.start)) {
      this.byRow[bar.row]?.push(bar)
      this.byId.set(bar.id, bar)
      const siblings = this.byOrder.get(bar.order)
      if (siblings) siblings.push(bar)
      else this.byOrder.set(bar.order, [bar])
    }
  }

  get(id: string): Bar | undefined {
    return this.byId.get(id)
  }

  /** The bars of a row that touch the time from `from` to `to`, oldest first. */
  between(row: number, from: number, to: number): Bar[] {
    const bars = this.byRow[row] ?? []
    const found: Bar[] = []
    for (let at = this.firstEndingAfter(bars, from); at < bars.length; at += 1) {
      const bar = bars[at]
      if (!bar || bar.start - bar.setup_ms >= to) break
      found.push(bar)
    }
    return found
  }

  at(row: number, time: number): Bar | undefined {
    return this.between(row, time, time + 1)[0]
  }

  ofRow(row: number): Bar[] {
    return this.byRow[row] ?? []
  }

  /** The operations of one order, in the order of their start. */
  ofOrder(order: string): Bar[] {
    return this.byOrder.get(order) ?? []
  }

  links(order: string): Link[] {
    const bars = this.ofOrder(order)
    return bars.slice(1).map((to, index) => ({ from: bars[index] as Bar, to }))
  }

  get span(): { from: number; to: number } | null {
    if (!this.bars.length) return null
    const from = this.bars.reduce((least, bar) => Math.min(least, bar.start - bar.setup_ms), Infinity)
    const to = this.bars.reduce((most, bar) => Math.max(most, bar.end), -Infinity)
    return { from, to }
  }

  private firstEndingAfter(bars: Bar[], time: number): number {
    let [low, high] = [0, bars.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((bars[middle]?.end ?? 0) <= time) low = middle + 1
      else high = middle
    }
    return low
  }
}
