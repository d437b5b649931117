import { shallowRef, watch, type ShallowRef } from 'vue'
import { answer, client } from '@/api/client'
import { me } from '@/api/session'
import type { ErpVisitor } from '@/api/types'

/** The demo's account of the ERP, for people who look around; null outside the demo. */
export function useErpVisitor(): ShallowRef<ErpVisitor | null> {
  const visitor = shallowRef<ErpVisitor | null>(null)
  watch(me, async (who) => {
    if (!who?.demo || visitor.value || !who.permissions.includes('erp.view')) return
    visitor.value = await answer(client.GET('/api/v1/erp/visitor')).catch(() => null)
  }, { immediate: true })
  return visitor
}
