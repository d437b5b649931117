import { shallowRef } from 'vue'
import { answer, client } from '@/api/client'
import type { SiteFacts } from '@/api/types'

const KEPT = 'lineside.site'

function kept(): SiteFacts | null {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? 'null') as SiteFacts | null
  } catch {
    return null
  }
}

/** Time zone, currency and terminals of the site; the last known ones while offline. */
export const site = shallowRef<SiteFacts | null>(typeof localStorage === 'undefined' ? null : kept())

export async function loadSite(): Promise<void> {
  const facts = await answer(client.GET('/api/v1/site'))
  site.value = facts
  localStorage.setItem(KEPT, JSON.stringify(facts))
}
