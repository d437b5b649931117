import { createI18n } from 'vue-i18n'

export const LANGUAGES = ['en', 'zh-CN', 'zh-TW'] as const
export type Language = (typeof LANGUAGES)[number]
const KEPT = 'lineside.language'

type Texts = Record<string, unknown>

const LOADERS: Record<Language, () => Promise<{ default: Texts }>> = {
  en: () => import('./en.json'),
  'zh-CN': () => import('./zh-CN.json'),
  'zh-TW': () => import('virtual:zh-TW'),
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
  messages: {},
})

export async function useLanguage(language: Language): Promise<void> {
  const texts = await LOADERS[language]()
  i18n.global.setLocaleMessage(language, texts.default as never)
  i18n.global.locale.value = language
  document.documentElement.lang = language
  localStorage.setItem(KEPT, language)
}
