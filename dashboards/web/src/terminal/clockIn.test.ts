import 'fake-indexeddb/auto'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope } from 'vue'
import type { Job } from '@/api/types'

// A plant that books nothing of who was not clocked in then, and clocks nobody in twice.
const plant = vi.hoisted(() => ({ since: Infinity, started: [] as number[], here: 'E-1002' }))

vi.mock('@/api/live', () => ({ isOnline: { value: true }, onChange: () => undefined, onReconnect: () => undefined }))
vi.mock('@/api/client', async (original) => {
  const real = await original<typeof import('@/api/client')>()
  const answers: Record<string, () => unknown> = {
    '/api/v1/terminals/{unit}': () => ({ terminal: 'CNC-1', job: null, queue: [], last: [], people: [{ id: plant.here }] }),
    '/api/v1/terminals': () => [{ terminal: 'CNC-1', sign_on: { receipt: `a receipt of ${plant.here}` } }],
  }
  return {
    ...real,
    client: { GET: (path: string) => path, POST: (path: string) => path },
    answer: (path: string) =>
      path.endsWith('/clock-in')
        ? Promise.reject(new real.ServerRefusal(409, { error: 'PersonClockedInAlready', params: { person: 'E-1002' } }))
        : Promise.resolve(answers[path]?.()),
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
  Object.assign(plant, { since: Infinity, started: [], here: 'E-1002' })
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

it('what somebody did who has left is not done anew in the name of who is here now', async () => {
  Object.assign(plant, { since: Infinity, started: [], here: 'E-1002' })
  const { useTerminal } = await import('./useTerminal')
  const scope = effectScope()
  const terminal = scope.run(() => useTerminal('CNC-1'))
  if (!terminal) throw new Error('no terminal')
  await terminal.start()
  await terminal.acts.start({ id: 'WO-2-10', work_order: 'WO-2' } as Job)
  await terminal.sync()
  const refused = terminal.conflicts.value[0]
  plant.since = Date.now() + 4_000
  plant.here = 'E-1003'
  vi.advanceTimersByTime(5_000)
  await terminal.sync()
  expect(terminal.person.value?.id).toBe('E-1003')
  expect(refused && (await terminal.clockIn(refused))).toBeNull()
  scope.stop()
  expect(plant.started).toEqual([])
  expect(terminal.conflicts.value.map((one) => [one.person, one.state])).toEqual([['E-1002', refused?.state]])
})
