import { useI18n } from 'vue-i18n'
import type { PromiseOption } from '@/api/types'
import { useSay } from '@/i18n/say'
import { useFormat } from '@/lib/format'
import { site } from '@/lib/site'
import { useOrderName } from './kept'

/** Another way to a date in words: what is done, and what it costs whom. */
export function useWays() {
  const { t } = useI18n()
  const { unitName } = useSay()
  const { number, dayTime, minutes } = useFormat()
  const orderName = useOrderName()

  function way(option: PromiseOption): string {
    const { unit, minutes: more, order, later, late, quantity, first } = option.params
    const params = {
      unit: unitName(String(unit), String(unit)), by: minutes(Number(more ?? later ?? 0)), order: orderName(String(order)), quantity: number(quantity),
      first: dayTime(first), late: minutes(Number(late ?? 0)), customer: whose(option),
    }
    return t(`planner.way.${option.kind === 'delay' && Number(late) > 0 ? 'delayLate' : option.kind}`, params)
  }

  function whose(option: PromiseOption): string {
    const { customer } = option.params
    return customer ? t('planner.ofCustomer', { customer }) : ''
  }

  function price(option: PromiseOption): string {
    if (!option.price) return t('planner.free')
    const { minutes: more, late, weight, points } = option.params
    const total = number(option.price, 0)
    if (option.kind === 'delay') return t('planner.priceOf.delay', { late: number(late), weight: number(weight), points: number(points), total })
    return t('planner.priceOf.overtime', { minutes: number(more), points: number(option.price / Number(more)), total })
  }

  return { way, price }
}

/** The end of a day of the site's calendar, as an instant. */
export function endOfDay(day: string): string {
  const guess = Date.parse(`${day}T23:59:00Z`)
  const parts = new Intl.DateTimeFormat('sv-SE', { timeZone: site.value?.site_tz, dateStyle: 'short', timeStyle: 'medium' }).format(guess)
  return new Date(2 * guess - Date.parse(`${parts.replace(' ', 'T')}Z`)).toISOString()
}
