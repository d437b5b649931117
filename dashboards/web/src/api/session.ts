import { shallowRef } from 'vue'
import { answer, client } from './client'
import type { Me } from './types'

export const me = shallowRef<Me | null>(null)

export async function loadMe(): Promise<void> {
  me.value = await answer(client.GET('/api/v1/me'))
}

export function may(permission: string): boolean {
  return me.value?.permissions.includes(permission) ?? false
}
