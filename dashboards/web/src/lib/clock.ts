import { onScopeDispose, ref, type Ref } from 'vue'

/** The present, renewed every `step_s` seconds. */
export function useNow(step_s = 1): Ref<number> {
  const now = ref(Date.now())
  const timer = setInterval(() => {
    now.value = Date.now()
  }, step_s * 1000)
  onScopeDispose(() => clearInterval(timer))
  return now
}
