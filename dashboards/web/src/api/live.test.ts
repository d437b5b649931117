import { effectScope } from 'vue'
import { expect, it, vi } from 'vitest'

class Stream extends EventTarget {
  static latest: Stream
  readyState = 1
  constructor() {
    super()
    Stream.latest = this
  }
}

it('fetches anew when the server says that it dropped some of the stream', async () => {
  vi.stubGlobal('EventSource', Stream)
  vi.stubGlobal('navigator', {})
  const live = await import('./live')
  const again = vi.fn()
  const changed = vi.fn()
  effectScope().run(() => {
    live.onReconnect(again)
    live.onChange(changed)
  })
  live.startLive()
  Stream.latest.dispatchEvent(new Event('open'))
  expect(again).toHaveBeenCalledTimes(1)
  Stream.latest.dispatchEvent(new Event('beat'))
  expect(again).toHaveBeenCalledTimes(1)
  Stream.latest.dispatchEvent(new Event('reset'))
  expect(again).toHaveBeenCalledTimes(2)
  Stream.latest.dispatchEvent(new MessageEvent('change', { data: '{"type":"X","body":{}}' }))
  expect(changed).toHaveBeenCalledTimes(1)
  vi.unstubAllGlobals()
})
