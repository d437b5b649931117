import { useI18n } from 'vue-i18n'
import { useSay } from '@/i18n/say'
import type { Entry } from './outbox'

/** One line for an act: "Report: 2 good, 1 scrap (WO-000012-20)". */
export function useTitle() {
  const { t } = useI18n()
  const { word } = useSay()

  function titleOf(entry: Entry): string {
    const { job, lot, good, scrap, reason } = entry.title
    const group = { report: 'scrapReason', hold: 'holdReason', 'stop-reason': 'stopReason' }[entry.verb as string]
    const why = reason && group ? word(group, String(reason)) : ''
    return t(`act.${entry.verb}`, { job: job ?? '', lot: lot ?? '', good: good ?? '', scrap: scrap ?? '', reason: why })
  }

  return { titleOf }
}
