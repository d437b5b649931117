import { useI18n } from 'vue-i18n'
import { site } from './site'

function zone(): string | undefined {
  return site.value?.site_tz
}

/** Signed minutes and seconds between two instants, in whole seconds. */
export function secondsBetween(from: string, to: number): number {
  return Math.round((to - Date.parse(from)) / 1000)
}

/** Figures, times and durations in the language of the page and the time zone of the site. */
export function useFormat() {
  const { locale, t } = useI18n()

  function stamp(value: string | number, options: Intl.DateTimeFormatOptions): string {
    // Month names in English: 11/12 means another day on each side of the Atlantic.
    return new Intl.DateTimeFormat(locale.value === 'en' ? 'en-GB' : locale.value, { timeZone: zone(), hourCycle: 'h23', ...options }).format(
      new Date(value),
    )
  }

  const month = () => (locale.value === 'en' ? 'short' : '2-digit')

  function number(value: string | number | null | undefined, digits = 3): string {
    if (value === null || value === undefined || value === '') return '–'
    return new Intl.NumberFormat(locale.value, { maximumFractionDigits: digits }).format(Number(value))
  }

  /** An amount in a column whose head names the currency. */
  function amount(value: string | number): string {
    return new Intl.NumberFormat(locale.value, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(Number(value))
  }

  function money(value: string | number, currency: string): string {
    const style = { style: 'currency', currency, currencyDisplay: 'code' } as const
    return new Intl.NumberFormat(locale.value, style).format(Number(value))
  }

  function percent(value: number | string | null | undefined): string {
    if (value === null || value === undefined) return '–'
    const style = { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 } as const
    return new Intl.NumberFormat(locale.value, style).format(Number(value))
  }

  /** Percent without a place, for where three of them stand side by side. */
  function whole(value: number | string | null | undefined): string {
    if (value === null || value === undefined) return '–'
    return new Intl.NumberFormat(locale.value, { style: 'percent', maximumFractionDigits: 0 }).format(Number(value))
  }

  function time(value: string | number | null | undefined): string {
    return value ? stamp(value, { hour: '2-digit', minute: '2-digit' }) : '–'
  }

  function clock(value: string | number): string {
    return stamp(value, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
  }

  function day(value: string | number): string {
    return stamp(value, { month: month(), day: '2-digit' })
  }

  function dayTime(value: string | number | null | undefined): string {
    if (!value) return '–'
    return stamp(value, { month: month(), day: '2-digit', hour: '2-digit', minute: '2-digit' })
  }

  function duration(seconds: number | null | undefined): string {
    if (seconds === null || seconds === undefined) return '–'
    const whole = Math.max(0, Math.round(seconds))
    if (whole < 60) return t('unit.s', { n: whole })
    if (whole < 3600) return t('unit.min', { n: Math.floor(whole / 60) })
    if (whole < 48 * 3600) {
      const minutes = Math.floor((whole % 3600) / 60)
      return t('unit.hmin', { h: Math.floor(whole / 3600), m: String(minutes).padStart(2, '0') })
    }
    return t('unit.days', { n: Math.floor(whole / 86400) })
  }

  /** Hours, minutes and seconds to calculate with: `1:15:34`. */
  function exact(seconds: number): string {
    const whole = Math.max(0, Math.round(seconds))
    const [minutes, rest] = [Math.floor(whole / 60) % 60, whole % 60]
    return `${Math.floor(whole / 3600)}:${String(minutes).padStart(2, '0')}:${String(rest).padStart(2, '0')}`
  }

  function minutes(value: number): string {
    return duration(value * 60)
  }

  function lag(seconds: number | null | undefined): string {
    if (seconds === null || seconds === undefined) return '–'
    if (seconds >= 60) return duration(seconds)
    return t('unit.s', { n: number(Math.max(0, seconds), seconds < 10 ? 1 : 0) })
  }

  return { number, amount, money, percent, whole, time, clock, day, dayTime, duration, exact, minutes, lag }
}
