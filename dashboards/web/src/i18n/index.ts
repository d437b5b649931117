import { createI18n } from 'vue-i18n'
import { composeMessage } from './message'

export const LANGUAGES = ['en', 'zh-CN', 'zh-TW'] as const
export type Language = (typeof LANGUAGES)[number]
/** A terminal has the words of a terminal; a desk has those and its own. */
export type Part = 'terminal' | 'desk'
const KEPT = 'lineside.language'

type Texts = Record<string, unknown>
type Loader = () => Promise<{ default: Texts }>

const LOADERS: Record<Language, Record<Part, Loader>> = {
  en: { terminal: () => import('virtual:texts/en/terminal'), desk: () => import('virtual:texts/en/desk') },
  'zh-CN': { terminal: () => import('virtual:texts/zh-CN/terminal'), desk: () => import('virtual:texts/zh-CN/desk') },
  'zh-TW': { terminal: () => import('virtual:texts/zh-TW/terminal'), desk: () => import('virtual:texts/zh-TW/desk') },
}

/** The language a browser asks for, in the order of its own list; English when it has none of ours. */
export function languageOf(wishes: readonly string[]): Language {
  for (const wish of wishes) {
    const lower = wish.toLowerCase()
    if (lower.startsWith('en')) return 'en'
    if (/^zh-(tw|hk|mo|hant)/.test(lower)) return 'zh-TW'
    if (lower.startsWith('zh')) return 'zh-CN'
  }
  return 'en'
}

export function currentLanguage(): Language {
  const asked = new URLSearchParams(location.search).get('lang')
  const kept = asked ?? localStorage.getItem(KEPT)
  return LANGUAGES.find((language) => language === kept) ?? languageOf(navigator.languages)
}

export const i18n = createI18n({
  legacy: false,
  locale: 'en' as string,
  fallbackLocale: 'en',
  missingWarn: false,
  fallbackWarn: false,
  messageCompiler: composeMessage,
  messages: {},
})

let parts: readonly Part[] = ['terminal']

/** Speaks the language; `wanted` is what this page needs of it, and stays so for the next language. */
export async function useLanguage(language: Language, wanted: readonly Part[] = parts): Promise<void> {
  parts = wanted
  const loaded = await Promise.all(parts.map((part) => LOADERS[language][part]()))
  i18n.global.setLocaleMessage(language, {})
  for (const texts of loaded) i18n.global.mergeLocaleMessage(language, texts.default)
  i18n.global.locale.value = language
  document.documentElement.lang = language
  localStorage.setItem(KEPT, language)
}
