import type { Bar, Model } from './model'

// The board without a pointer: arrows walk from bar to bar, also for a screen reader.

/** The bar that an arrow key leads to from `from`; the first bar when nothing is chosen yet. */
export function step(model: Model, from: Bar | null, key: string): Bar | null {
  if (!from) return model.bars.length ? (model.rows.map((_, row) => model.ofRow(row)[0]).find(Boolean) ?? null) : null
  const row = model.ofRow(from.row)
  const at = row.findIndex((bar) => bar.id === from.id)
  if (key === 'ArrowRight') return row[at + 1] ?? from
  if (key === 'ArrowLeft') return row[at - 1] ?? from
  if (key === 'Home') return row[0] ?? from
  if (key === 'End') return row.at(-1) ?? from
  const way = key === 'ArrowDown' ? 1 : key === 'ArrowUp' ? -1 : 0
  for (let next = from.row + way; way !== 0 && next >= 0 && next < model.rows.length; next += way) {
    const nearest = closest(model.ofRow(next), from.start)
    if (nearest) return nearest
  }
  return from
}

function closest(bars: Bar[], time: number): Bar | null {
  let best: Bar | null = null
  for (const bar of bars) {
    if (!best || Math.abs(bar.start - time) < Math.abs(best.start - time)) best = bar
  }
  return best
}

export const WALKING = new Set(['ArrowRight', 'ArrowLeft', 'ArrowUp', 'ArrowDown', 'Home', 'End'])
