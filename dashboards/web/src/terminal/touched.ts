const EVERY_MS = 20_000
const TOUCHES = ['pointerdown', 'keydown'] as const

/** Calls `tell` now and then while somebody touches or scans; a page that is only open is not in use. */
export function whileTouched(tell: () => void): () => void {
  let touched = false
  const touch = () => (touched = true)
  const timer = setInterval(() => {
    if (touched) tell()
    touched = false
  }, EVERY_MS)
  for (const kind of TOUCHES) addEventListener(kind, touch, { capture: true, passive: true })
  return () => {
    clearInterval(timer)
    for (const kind of TOUCHES) removeEventListener(kind, touch, { capture: true })
  }
}
