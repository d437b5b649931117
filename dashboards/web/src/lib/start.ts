import { createApp, type Component } from 'vue'
import '@/design/base.css'
import { startLive } from '@/api/live'
import { currentLanguage, i18n, useLanguage, type Part } from '@/i18n'
import { loadSite } from './site'
import { startTheme } from './theme'

/** Mounts a page in the language and theme of this browser. */
export async function startPage(root: Component, options: { live?: boolean; site?: boolean; texts?: Part[] } = {}): Promise<void> {
  startTheme()
  await useLanguage(currentLanguage(), options.texts ?? ['terminal', 'desk'])
  if (options.site !== false) void loadSite().catch(() => undefined)
  if (options.live !== false) startLive()
  createApp(root).use(i18n).mount('#app')
}
