import { ref } from 'vue'
import { newKey, ServerRefusal, whyNot } from '@/api/client'
import type { Refusal } from '@/api/types'

type Header = { 'Idempotency-Key': string }

/**
 * Commands that a tap sends, one at a time. A subject keeps its key until it is answered, so that a
 * second tap after a lost answer does nothing twice.
 */
export function useCommands() {
  const busy = ref<string | null>(null)
  const refusal = ref<Refusal | null>(null)
  const keys = new Map<string, string>()

  async function send(subject: string, post: (header: Header) => Promise<unknown>): Promise<boolean> {
    if (busy.value !== null) return false
    busy.value = subject
    refusal.value = null
    const key = keys.get(subject) ?? newKey()
    keys.set(subject, key)
    try {
      await post({ 'Idempotency-Key': key })
      keys.delete(subject)
      return true
    } catch (error) {
      if (error instanceof ServerRefusal) keys.delete(subject)
      refusal.value = whyNot(error)
      return false
    } finally {
      busy.value = null
    }
  }

  return { busy, refusal, send }
}
