import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { ServerRefusal } from '@/api/client'
import { onChange, onReconnect } from '@/api/live'
import type { Change, Refusal } from '@/api/types'

const DEBOUNCE_MS = 250
const RETRY_MS = 3_000

export interface Resource<T> {
  data: ShallowRef<T | null>
  refusal: Ref<Refusal | null>
  failed: Ref<boolean>
  loading: Ref<boolean>
  reload: () => Promise<void>
}

/**
 * What a page shows, fetched again when one of its topics changed.
 *
 * `concerns` decides by the topics of a change; bursts are merged into one fetch, and only one
 * fetch runs at a time. `every_s` is for figures that grow with time alone, such as a lag.
 */
export function useResource<T>(
  fetcher: () => Promise<T>,
  options: { concerns?: (change: Change) => boolean; every_s?: number } = {},
): Resource<T> {
  const data = shallowRef<T | null>(null)
  const refusal = ref<Refusal | null>(null)
  const failed = ref(false)
  const loading = ref(true)
  let timer: number | undefined
  let running = false
  let again = false

  async function once(): Promise<void> {
    try {
      data.value = await fetcher()
      refusal.value = null
      failed.value = false
    } catch (error) {
      failed.value = true
      if (error instanceof ServerRefusal) refusal.value = error.refusal
      else later(RETRY_MS)
    }
  }

  async function reload(): Promise<void> {
    if (running) {
      again = true
      return
    }
    running = true
    loading.value = true
    do {
      again = false
      await once()
    } while (again)
    running = false
    loading.value = false
  }

  function later(delay: number): void {
    if (timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      void reload()
    }, delay) as unknown as number
  }

  onChange((change) => {
    if (options.concerns?.(change)) later(DEBOUNCE_MS)
  })
  onReconnect(() => later(0))
  const ticking = options.every_s
    ? setInterval(() => document.visibilityState === 'visible' && later(0), options.every_s * 1000)
    : undefined
  onScopeDispose(() => {
    clearTimeout(timer)
    clearInterval(ticking)
  })
  void reload()
  return { data, refusal, failed, loading, reload }
}

export function touches(...prefixes: string[]): (change: Change) => boolean {
  return (change) => change.topics.some((topic) => prefixes.some((prefix) => topic.startsWith(prefix)))
}
