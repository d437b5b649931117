import { useI18n } from 'vue-i18n'
import type { Coded, Refusal } from '@/api/types'
import { useFormat } from '@/lib/format'

/** Refusals whose reason is a code of ours, with the group of its words. */
const REASONS: Record<string, string> = { JobOrderNotStartable: 'notStartable' }
/** A moment as the server writes it: `2026-03-02T06:30:00+00:00`. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

/** Sentences for codes that the server sends; a code without one is shown as it is. */
export function useSay() {
  const { t, te, locale } = useI18n()
  const { dayTime } = useFormat()

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

  /** Who did it: an account or a person without the word for what they are. */
  function who(actor: string | null | undefined): string {
    if (!actor) return '–'
    return known(`actor.${actor}`) ? t(`actor.${actor}`) : actor.replace(/^(account|person):/, '')
  }

  /** Units and skills in a sentence go by their names, moments by the clock of the site. */
  function spoken(params: Record<string, unknown>): Record<string, unknown> {
    const said = { ...params }
    for (const [name, value] of Object.entries(said)) {
      if (typeof value === 'string' && MOMENT.test(value)) said[name] = dayTime(value)
    }
    for (const name of ['unit', 'equipment']) {
      if (typeof said[name] === 'string') said[name] = unitName(said[name], said[name])
    }
    if (typeof said.cause === 'string') said.cause = word('waitedFor', said.cause)
    if (typeof said.skill === 'string') said.skill = word('skill', said.skill)
    if (typeof said.work_center === 'string') said.work_center = word('workCenter', said.work_center)
    return said
  }

  function said(refusal: Refusal): Record<string, unknown> {
    const params = spoken(refusal.params ?? {})
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

  return { word, coded, unitName, who, refusalTitle, refusalRemedy }
}
