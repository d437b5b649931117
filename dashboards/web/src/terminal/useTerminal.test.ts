import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope } from 'vue'

// The plant is a number that grows with every change; a picture of it comes after the round trip.
const plant = vi.hoisted(() => ({ version: 0, asked: 0, underWay: 0, atOnce: 0, roundTrip_ms: 0, change: (_: unknown): void => undefined }))

vi.mock('@/api/live', () => ({
  isOnline: { value: true },
  onChange: (listen: (change: unknown) => void) => (plant.change = listen),
  onReconnect: () => undefined,
}))
vi.mock('@/api/client', () => ({
  ServerRefusal: class extends Error {},
  Unreachable: class extends Error {},
  newKey: () => 'key',
  client: { GET: (path: string) => path, POST: () => Promise.resolve({}) },
  answer: async (path: string) => {
    const { version } = plant
    plant.asked += path.includes('{unit}') ? 1 : 0
    plant.underWay += path.includes('{unit}') ? 1 : 0
    plant.atOnce = Math.max(plant.atOnce, plant.underWay)
    await new Promise((resolve) => setTimeout(resolve, plant.roundTrip_ms))
    plant.underWay -= path.includes('{unit}') ? 1 : 0
    return path.includes('{unit}') ? { version, job: null, queue: [], last: [], people: [] } : []
  },
}))
vi.mock('./outbox', () => ({
  Outbox: class {
    flush = () => Promise.resolve({ sent: [], refused: [], stopped: 'empty' })
    entries = () => Promise.resolve([])
    keptSnapshot = () => Promise.resolve(undefined)
    keepSnapshot = () => Promise.resolve()
    add = () => Promise.reject(new DOMException('no room', 'QuotaExceededError'))
  },
}))

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('addEventListener', () => undefined)
  vi.stubGlobal('removeEventListener', () => undefined)
  vi.stubGlobal('navigator', {})
  vi.stubGlobal('document', { visibilityState: 'visible' })
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('a terminal of a busy plant', () => {
  it.each([[100, 300], [500, 300], [1_000, 800], [3_000, 100]])(
    'shows what comes, one picture at a time, with a round trip of %i ms and a change each %i ms',
    async (roundTrip_ms, every_ms) => {
      Object.assign(plant, { version: 1, asked: 0, underWay: 0, atOnce: 0, roundTrip_ms })
      const { useTerminal } = await import('./useTerminal')
      const scope = effectScope()
      const terminal = scope.run(() => useTerminal('CNC-1'))
      void terminal?.start()
      const shown = new Set<number>()
      for (let at = 0; at < 15_000; at += every_ms) {
        await vi.advanceTimersByTimeAsync(every_ms)
        plant.version += 1
        plant.change({ topics: ['job:WO-9-10'] })
        const picture = terminal?.base.value as unknown as { version: number } | null
        if (picture) shown.add(picture.version)
      }
      scope.stop()
      expect(shown.size).toBeGreaterThan(plant.asked / 2)
      expect(shown.size).toBeGreaterThan(3)
      expect(plant.atOnce).toBe(1)
    },
  )

  it('tells of an act that the device could not write down', async () => {
    const { useTerminal } = await import('./useTerminal')
    const scope = effectScope()
    const terminal = scope.run(() => useTerminal('CNC-1'))
    await expect(terminal?.acts.help()).rejects.toThrow('no room')
    expect(terminal?.unwritten.value).toBe(1)
    scope.stop()
  })
})
