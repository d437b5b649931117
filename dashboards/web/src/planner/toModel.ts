import type { Plan, PlanEquipment, PlanOperation } from '@/api/types'
import { Model, type Bar, type Row } from './board/model'

const DONE = new Set(['Completed', 'Closed'])
const HELD = new Set(['Held', 'Suspended'])

function statusOf(operation: PlanOperation): Bar['status'] {
  if (operation.status === 'Running') return 'running'
  if (HELD.has(operation.status)) return 'held'
  return DONE.has(operation.status) ? 'done' : 'planned'
}

/** `WO-000123-10` as people say it where there is little room: `123·10`. */
export function shortLabel(operation: PlanOperation): string {
  const number = /(\d+)$/.exec(operation.work_order)?.[1] ?? operation.work_order
  return `${Number(number)}·${operation.operation}`
}

/** The plan as rows and bars; closed times shade the rows. */
export function toModel(plan: Plan, group: (centre: string) => string, equipment: PlanEquipment[] = plan.equipment): Model {
  const rows: Row[] = equipment.map((unit) => ({
    id: unit.id,
    name: unit.name,
    group: group(unit.work_center),
    shades: unit.calendar
      .filter((one) => one.kind !== 'work')
      .map((one) => ({ from: Date.parse(one.from), to: Date.parse(one.to), kind: one.kind })),
  }))
  const rowOf = new Map(rows.map((row, index) => [row.id, index]))
  const families = [...new Set(plan.operations.map((one) => one.family))].sort()
  const bars = plan.operations.flatMap((one): Bar[] => {
    const row = rowOf.get(one.equipment)
    if (row === undefined) return []
    return [{
      id: one.job_order,
      order: one.work_order,
      label: `${one.work_order.replace(/^WO-0*/, '')}·${one.operation} ${one.material}`,
      short: shortLabel(one),
      row,
      start: Date.parse(one.start),
      end: Date.parse(one.end),
      setup_ms: one.setup_min * 60_000,
      family: families.indexOf(one.family),
      late: one.late_min > 0,
      status: statusOf(one),
      locked: one.locked,
    }]
  })
  return new Model(rows, bars)
}
