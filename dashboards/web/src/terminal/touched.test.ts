import { afterEach, expect, it, vi } from 'vitest'
import { whileTouched } from './touched'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

it('says that a terminal is used while it is touched, and not while it is only open', () => {
  vi.useFakeTimers()
  const page = new EventTarget()
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
  const tell = vi.fn()
  const stop = whileTouched(tell)
  vi.advanceTimersByTime(120_000)
  expect(tell).toHaveBeenCalledTimes(0)
  page.dispatchEvent(new Event('pointerdown'))
  vi.advanceTimersByTime(20_000)
  expect(tell).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(120_000)
  expect(tell).toHaveBeenCalledTimes(1)
  page.dispatchEvent(new Event('keydown'))
  stop()
  vi.advanceTimersByTime(120_000)
  expect(tell).toHaveBeenCalledTimes(1)
})
