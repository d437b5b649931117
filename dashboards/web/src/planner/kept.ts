import { useI18n } from 'vue-i18n'

const NAMES = 'PROMISE-'

/** A date that is kept for a customer takes part in the plan as an order of its own, and has no page. */
export function isKept(order: string): boolean {
  return order.startsWith(NAMES)
}

/** Orders and their operations by their numbers, kept dates by what they are. */
export function useOrderName() {
  const { t } = useI18n()
  return (number: string) => (isKept(number) ? `${t('planner.keptDate')} ${number.slice(NAMES.length)}` : number)
}
