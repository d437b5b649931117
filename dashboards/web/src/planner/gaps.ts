import type { OrderLeftOut, PlanFault } from '@/api/types'

/** What keeps a hundred orders out of the plan is one row that names them all: a planner mends it once. */
export function byFault(orders: OrderLeftOut[], words: (fault: PlanFault) => string, name: (order: string) => string): string[] {
  const rows = new Map<string, Set<string>>()
  for (const one of orders) {
    for (const said of one.faults.map(words)) rows.set(said, (rows.get(said) ?? new Set()).add(name(one.work_order)))
  }
  return [...rows].map(([said, names]) => `${said} · ${[...names].join(', ')}`)
}
