import { useI18n } from 'vue-i18n'
import type { Plan } from '@/api/types'

const NAMES = 'PROMISE-'
const MAINTENANCE = /^MT-\d+$/

/** A date that is later by less is the same. */
const SAME_MS = 5 * 60_000

/** Whether a date is clearly later than another. */
export function isLater(date: string, other: string): boolean {
  return Date.parse(date) - Date.parse(other) >= SAME_MS
}

/** A date that is kept for a customer takes part in the plan as an order of its own, and has no page. */
export function isKept(order: string): boolean {
  return order.startsWith(NAMES)
}

/** The plan as customers see it: a kept date is late once it ends after what its customer was told. */
export function asTold<P extends Pick<Plan, 'orders' | 'operations' | 'breaks'>>(plan: P): P {
  const lost = new Set((plan.breaks ?? []).filter((one) => isLater(one.end, one.told_at ?? one.promised_at)).map((one) => one.work_order))
  const lateMin = (one: { work_order: string; late_min: number }) => (isKept(one.work_order) && !lost.has(one.work_order) ? 0 : one.late_min)
  return {
    ...plan,
    orders: plan.orders.map((one) => ({ ...one, late_min: lateMin(one) })),
    operations: plan.operations.map((one) => ({ ...one, late_min: lateMin(one) })),
  }
}

/** What tells a kept date from others. */
export function keptNumber(order: string): string {
  return order.slice(NAMES.length)
}

/** Maintenance of a unit takes part in the plan as an order of its own, and has no page. */
export function isMaintenance(order: string): boolean {
  return MAINTENANCE.test(order)
}

/** Orders and their operations by their numbers, kept dates by what they are. */
export function useOrderName() {
  const { t } = useI18n()
  return (number: string) => {
    if (isMaintenance(number)) return `${t('planner.maintenance')} ${number}`
    return isKept(number) ? `${t('planner.keptDate')} ${keptNumber(number)}` : number
  }
}
