import type { Plan, PlanEquipment, PlanOperation } from '@/api/types'
import { Model, type Bar, type Row, type Shade } from './board/model'
import { isKept, isMaintenance, keptNumber } from './kept'

interface Words {
  group: (centre: string) => string
  unit: (id: string, name: string) => string
  order: (number: string) => string
}

const DONE = new Set(['Completed', 'Closed'])
const HELD = new Set(['Held', 'Suspended'])

function statusOf(operation: PlanOperation): Bar['status'] {
  if (operation.status === 'Running') return 'running'
  if (HELD.has(operation.status)) return 'held'
  return DONE.has(operation.status) ? 'done' : 'planned'
}

/** `WO-000123-10` as people say it where there is little room: `123·10`; maintenance by what is done. */
export function shortLabel(operation: PlanOperation): string {
  if (isMaintenance(operation.work_order)) return operation.name
  if (isKept(operation.work_order)) return `${keptNumber(operation.work_order)}·${operation.operation}`
  const number = /(\d+)$/.exec(operation.work_order)?.[1] ?? operation.work_order
  return `${Number(number)}·${operation.operation}`
}

function longLabel(operation: PlanOperation, words: Words): string {
  if (isMaintenance(operation.work_order)) return operation.name
  return `${words.order(operation.work_order).replace(/^WO-0*/, '')}·${operation.operation} ${operation.material}`
}

/** The calendar says when a unit works: what lies between is closed; stops are shown as they are. */
export function shadesOf(unit: PlanEquipment): Shade[] {
  const work = unit.calendar.filter((one) => one.kind === 'work').map((one) => [Date.parse(one.from), Date.parse(one.to)] as const)
  const shades: Shade[] = []
  work.slice(1).forEach(([from], index) => {
    const before = work[index]?.[1] ?? from
    if (from > before) shades.push({ from: before, to: from, kind: 'closed' })
  })
  const last = work.at(-1)
  if (last) shades.push({ from: last[1], to: last[1] + 86_400_000, kind: 'closed' })
  for (const one of unit.calendar) {
    if (one.kind !== 'work') shades.push({ from: Date.parse(one.from), to: Date.parse(one.to), kind: one.kind })
  }
  return shades
}

/** What a piece takes here of the routing's run time, in percent; plans of before that was known say nothing. */
export function paceOf(unit: PlanEquipment | undefined): number {
  return unit?.time_percent ?? 100
}

/** The plan as rows and bars; closed times shade the rows. */
export function toModel(plan: Plan, words: Words, equipment: PlanEquipment[] = plan.equipment): Model {
  const rows: Row[] = equipment.map((unit) => ({
    id: unit.id,
    name: words.unit(unit.id, unit.name) + (paceOf(unit) === 100 ? '' : ` · ${paceOf(unit)} %`),
    group: words.group(unit.work_center),
    shades: shadesOf(unit),
  }))
  const rowOf = new Map(rows.map((row, index) => [row.id, index]))
  const families = [...new Set(plan.operations.map((one) => one.family))].sort()
  const bars = plan.operations.flatMap((one): Bar[] => {
    const row = rowOf.get(one.equipment)
    if (row === undefined) return []
    return [{
      id: one.job_order,
      order: one.work_order,
      label: longLabel(one, words),
      short: shortLabel(one),
      tiny: shortLabel(one).split('·')[0] ?? '',
      row,
      start: Date.parse(one.start),
      end: Date.parse(one.end),
      setup_ms: Math.max(0, Date.parse(one.start) - Date.parse(one.setup_start)),
      family: families.indexOf(one.family),
      late: one.late_min > 0,
      status: statusOf(one),
      locked: one.locked,
      kept: isKept(one.work_order),
    }]
  })
  return new Model(rows, bars)
}
