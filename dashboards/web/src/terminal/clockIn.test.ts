import 'fake-indexeddb/auto'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope } from 'vue'
import type { Job } from '@/api/types'

// A plant that books nothing of who was not clocked in then, and clocks nobody in twice.
const plant = vi.hoisted(() => ({ since: Infinity, started: [] as number[] }))

vi.mock('@/api/live', () => ({ isOnline: { value: true }, onChange: () => undefined, onReconnect: () => undefined }))
vi.mock('@/api/client', async (original) => {
  const real = await original<typeof import('@/api/client')>()
  const answers: Record<string, unknown> = {
    '/api/v1/terminals/{unit}': { terminal: 'CNC-1', job: null, queue: [], last: [], people: [{ id: 'E-1002' }] },
    '/api/v1/terminals': [{ terminal: 'CNC-1', sign_on: { receipt: 'a receipt' } }],
  }
  return {
    ...real,
    client: { GET: (path: string) => path, POST: (path: string) => path },
    answer: (path: string) =>
      path.endsWith('/clock-in')
        ? Promise.reject(new real.ServerRefusal(409, { error: 'PersonClockedInAlready', params: { person: 'E-1002' } }))
        : Promise.resolve(answers[path]),
  }
})

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] })
  vi.stubGlobal('addEventListener', () => undefined)
  vi.stubGlobal('removeEventListener', () => undefined)
  vi.stubGlobal('navigator', {})
  vi.stubGlobal('document', { visibilityState: 'visible' })
  vi.stubGlobal('fetch', (_: string, init?: RequestInit) => {
    const waited_s = new Headers(init?.headers).get('X-Waited-S')
    if (waited_s === null) return Promise.resolve(Response.json({ at: new Date().toISOString() }))
    const at = Date.now() - Number(waited_s) * 1000
    if (at < plant.since) return Promise.resolve(Response.json({ error: 'PersonNotClockedIn', params: {} }, { status: 409 }))
    plant.started.push(at)
    return Promise.resolve(Response.json({}))
  })
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

it.each([
  ['before the act, the act keeps its time', -5_000, 0],
  ['after the act, the act is done now', 4_000, 5_000],
])('when who is to be clocked in was clocked in %s', async (_, clocked_ms, expected_ms) => {
  Object.assign(plant, { since: Infinity, started: [] })
  const { useTerminal } = await import('./useTerminal')
  const scope = effectScope()
  const terminal = scope.run(() => useTerminal('CNC-1'))
  if (!terminal) throw new Error('no terminal')
  await terminal.start()
  const done = Date.now()
  await terminal.acts.start({ id: 'WO-1-10', work_order: 'WO-1' } as Job)
  await terminal.sync()
  const refused = terminal.conflicts.value[0]
  expect(refused?.refusal?.error).toBe('PersonNotClockedIn')
  plant.since = done + clocked_ms
  vi.advanceTimersByTime(5_000)
  expect(refused && (await terminal.clockIn(refused))).toBeNull()
  scope.stop()
  expect(plant.started).toEqual([done + expected_ms])
  expect(terminal.conflicts.value).toEqual([])
})
