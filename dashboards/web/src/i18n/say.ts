import { useI18n } from 'vue-i18n'
import type { Coded, Refusal } from '@/api/types'

/** Refusals whose reason is a code of ours, with the group of its words. */
const REASONS: Record<string, string> = { JobOrderNotStartable: 'notStartable' }

/** Sentences for codes that the server sends; a code without one is shown as it is. */
export function useSay() {
  const { t, te, locale } = useI18n()

  function known(key: string): boolean {
    return te(key) || te(key, 'en') || te(key, locale.value)
  }

  function word(group: string, code: string | null | undefined): string {
    if (!code) return '–'
    const key = `${group}.${code}`
    return known(key) ? t(key) : code
  }

  /** A unit's name in the reader's language, or as the plant calls it. */
  function unitName(id: string, name: string): string {
    const key = `unitName.${id}`
    return known(key) ? t(key) : name
  }

  function coded(group: string, value: Coded | string | null | undefined): string {
    if (!value) return ''
    const { code, params } = typeof value === 'string' ? { code: value, params: {} } : value
    const key = `${group}.${code}`
    return known(key) ? t(key, spoken(params ?? {})) : code
  }

  /** Units and skills in a sentence go by their names. */
  function spoken(params: Record<string, unknown>): Record<string, unknown> {
    const said = { ...params }
    for (const name of ['unit', 'equipment']) {
      if (typeof said[name] === 'string') said[name] = unitName(said[name], said[name])
    }
    if (typeof said.skill === 'string') said.skill = word('skill', said.skill)
    return said
  }

  function said(refusal: Refusal): Record<string, unknown> {
    const params = refusal.params ?? {}
    const group = REASONS[refusal.error]
    return group ? { ...params, reason: word(group, String(params.reason)) } : params
  }

  function refusalTitle(refusal: Refusal): string {
    const key = `errors.${refusal.error}.title`
    return known(key) ? t(key, said(refusal)) : (refusal.message ?? refusal.error)
  }

  function refusalRemedy(refusal: Refusal): string {
    const key = `errors.${refusal.error}.remedy`
    return known(key) ? t(key, said(refusal)) : (refusal.remedy ?? '')
  }

  return { word, coded, unitName, refusalTitle, refusalRemedy }
}
