import 'fake-indexeddb/auto'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { openStore, Outbox, type Act, type Entry, type Post } from './outbox'

let count = 0
let server: { keys: string[]; answers: (entry: Entry) => { status: number; error?: string } | 'gone' }
let store: (gone: () => void) => ReturnType<typeof openStore>

const post: Post = (entry) => {
  const answer = server.answers(entry)
  if (answer === 'gone') return Promise.reject(new Error('no network'))
  if (answer.status < 300) server.keys.push(entry.id)
  return Promise.resolve({ status: answer.status, refusal: answer.error ? { error: answer.error } : null })
}

function act(lane: string, verb: Act['verb'] = 'report'): Act {
  return { verb, lane, path: `/api/v1/job-orders/${lane}-10/${verb}`, body: { good: '1' }, title: {}, job: `${lane}-10` }
}

beforeEach(() => {
  count += 1
  const name = `test-${count}`
  store = (gone) => openStore(name, gone)
  server = { keys: [], answers: () => ({ status: 200 }) }
})

describe('the outbox of a terminal', () => {
  it('says how long an act has waited, over a reload and though the clock was set meanwhile', async () => {
    const hour = 3_600_000
    let real = Date.parse('2026-11-20T02:00:00Z')
    let off = -45 * 60_000
    const sent: number[] = []
    const taken = vi.spyOn(globalThis, 'fetch').mockImplementation((_, init) => {
      const waited = new Headers(init?.headers).get('X-Waited-S')
      if (waited !== null) sent.push(Number(waited))
      return Promise.resolve(Response.json({ at: new Date(real).toISOString() }))
    })
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(real + off)
    vi.resetModules()
    const before = await import('./waiting')
    const page = await import('./outbox')
    before.heard(real, before.moment())
    await new page.Outbox(store).add(act('WO-1'), 'CNC-1', 'E-1')
    await new page.Outbox(store).keepSnapshot('CNC-1', {} as never, null)
    // The battery is dead for a while; when the network is back, it sets the clock.
    real += 5 * hour
    off = 0
    vi.setSystemTime(real + off)
    vi.resetModules()
    const reloaded = new (await import('./outbox')).Outbox(store)
    ;(await import('./waiting')).remember((await reloaded.keptSnapshot('CNC-1'))?.contact)
    await reloaded.add(act('WO-2'), 'CNC-1', 'E-1')
    expect((await reloaded.flush()).stopped).toBe('empty')
    vi.useRealTimers()
    taken.mockRestore()
    expect(sent.map((seconds) => Math.round(seconds / 10))).toEqual([(5 * 3600) / 10, 0])
  })

  it.each([
    ['keeps an act that was answered by a sign-in page of a proxy', () => new Response('<html>', { headers: { 'Content-Type': 'text/html' } }), 1],
    ['keeps an act that was answered by nothing', () => new Response(null, { status: 200 }), 1],
    ['has sent an act that the plant had nothing to say to', () => Response.json(null), 0],
  ])('%s', async (_, answered, left) => {
    const real = Date.now()
    const server = vi.spyOn(globalThis, 'fetch').mockImplementation((path) =>
      Promise.resolve(String(path).includes('job-orders') ? answered() : Response.json({ at: new Date(real).toISOString() })),
    )
    const outbox = new Outbox(store)
    await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    expect((await outbox.flush()).stopped).toBe(left ? 'network' : 'empty')
    expect(await outbox.entries()).toHaveLength(left)
    server.mockRestore()
  })

  it('writes an act down though the browser closed its store or could not open it', async () => {
    let refused = true
    let opened = store(() => undefined)
    const outbox = new Outbox((gone) => {
      opened = refused ? Promise.reject(new Error('no storage')) : store(gone)
      return opened
    }, post)
    await expect(outbox.add(act('WO-1'), 'CNC-1', 'E-1')).rejects.toThrow('no storage')
    refused = false
    await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    ;(await opened).close()
    await outbox.add(act('WO-2'), 'CNC-1', 'E-1')
    expect((await outbox.entries()).map((entry) => entry.lane)).toEqual(['WO-1', 'WO-2'])
  })

  it('keeps an act while nothing tells how long it has waited', async () => {
    const gone = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('no network'))
    const entry = { ...act('WO-1', 'help'), at: '2026-11-20T10:00:00.000Z', id: 'k', terminal: 'CNC-1', person: null, receipt: null, state: 'waiting' as const, refusal: null }
    await (await store(() => undefined)).add('outbox', entry as Entry)
    expect((await new Outbox(store).flush()).stopped).toBe('network')
    expect(gone.mock.calls.map(([address]) => address)).toEqual(['/api/v1/terminals/CNC-1'])
    gone.mockRestore()
  })

  it('sends in the order of the acts, each under its own key', async () => {
    const outbox = new Outbox(store, post)
    const made = [await outbox.add(act('WO-1'), 'CNC-1', 'E-1'), await outbox.add(act('WO-1'), 'CNC-1', 'E-1')]
    expect((await outbox.flush()).stopped).toBe('empty')
    expect(server.keys).toEqual(made.map((entry) => entry.id))
    expect(new Set(server.keys).size).toBe(2)
    expect(await outbox.entries()).toEqual([])
  })

  it('keeps everything while there is no network, also over a reload', async () => {
    server.answers = () => 'gone'
    const outbox = new Outbox(store, post)
    const entry = await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    expect((await outbox.flush()).stopped).toBe('network')
    server.answers = () => ({ status: 200 })
    const after = new Outbox(store, post)
    await after.flush()
    expect(server.keys).toEqual([entry.id])
  })

  it('waits when the server fails, and repeats under the same key', async () => {
    let failures = 2
    const tried: string[] = []
    server.answers = (entry) => {
      tried.push(entry.id)
      failures -= 1
      return { status: failures >= 0 ? 503 : 200 }
    }
    const outbox = new Outbox(store, post)
    await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    expect((await outbox.flush()).stopped).toBe('network')
    expect((await outbox.flush()).stopped).toBe('network')
    expect((await outbox.flush()).stopped).toBe('empty')
    expect(new Set(tried).size).toBe(1)
  })

  it('an act that the server cannot digest holds its own order alone, and is asked again as the same one', async () => {
    let broken = true
    const tried: string[] = []
    server.answers = (entry) => {
      if (entry.lane === 'WO-1') tried.push(entry.id)
      return entry.lane === 'WO-1' && broken ? { status: 500, error: 'InternalFault' } : { status: 200 }
    }
    const outbox = new Outbox(store, post)
    const stuck = await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    const other = await outbox.add(act('WO-2'), 'CNC-1', 'E-1')
    expect((await outbox.flush()).stopped).toBe('empty')
    expect(server.keys).toEqual([other.id])
    broken = false
    await outbox.retry(stuck.seq)
    await outbox.flush()
    expect(tried).toEqual([stuck.id, stuck.id])
    expect(await outbox.entries()).toEqual([])
  })

  it('holds later acts of the same order behind a refused one, and lets others pass', async () => {
    server.answers = (entry) => (entry.lane === 'WO-1' ? { status: 409, error: 'JobOrderNotRunning' } : { status: 200 })
    const outbox = new Outbox(store, post)
    await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    await outbox.add(act('WO-1', 'complete'), 'CNC-1', 'E-1')
    const other = await outbox.add(act('WO-2'), 'CNC-1', 'E-1')
    const result = await outbox.flush()
    expect(result.refused.map((entry) => entry.refusal?.error)).toEqual(['JobOrderNotRunning'])
    expect(server.keys).toEqual([other.id])
    expect((await outbox.entries()).map((entry) => entry.state)).toEqual(['conflict', 'waiting'])
  })

  it('sends a refused act again under a new key, then what waited behind it', async () => {
    server.answers = () => ({ status: 409, error: 'JobOrderNotRunning' })
    const outbox = new Outbox(store, post)
    const first = await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    await outbox.add(act('WO-1', 'complete'), 'CNC-1', 'E-1')
    await outbox.flush()
    server.answers = () => ({ status: 200 })
    await outbox.retry(first.seq)
    await outbox.flush()
    expect(server.keys).toHaveLength(2)
    expect(server.keys[0]).not.toBe(first.id)
  })

  it('does the acts of somebody who was not at the terminal anew, as who is there now', async () => {
    const sent: Entry[] = []
    server.answers = (entry) => {
      sent.push(entry)
      return entry.receipt === 'old' ? { status: 409, error: 'TerminalTakenOver' } : { status: 200 }
    }
    const outbox = new Outbox(store, post)
    const first = await outbox.add(act('WO-1'), 'CNC-1', 'E-1', 'old')
    await outbox.add(act('WO-1', 'complete'), 'CNC-1', 'E-1', 'old')
    await outbox.add(act('WO-2'), 'CNC-2', 'E-1', 'old')
    await outbox.flush()
    await outbox.retry(first.seq, 'E-1', 'new')
    await outbox.flush()
    expect(sent.slice(2).map((entry) => [entry.verb, entry.receipt])).toEqual([['report', 'new'], ['complete', 'new']])
    expect(Number(sent[2]?.stamp?.moment.tick)).toBeGreaterThan(Number(first.stamp?.moment.tick))
    expect(sent[2]?.at).toBe(sent[2]?.body.device_time)
    expect((await outbox.entries()).map((entry) => entry.lane)).toEqual(['WO-2'])
  })

  it('lets the rest go on when a refused act is dropped', async () => {
    server.answers = (entry) => (entry.verb === 'report' ? { status: 422, error: 'ScrapReasonUnknown' } : { status: 200 })
    const outbox = new Outbox(store, post)
    const first = await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    const second = await outbox.add(act('WO-1', 'complete'), 'CNC-1', 'E-1')
    await outbox.flush()
    await outbox.drop(first.seq)
    await outbox.flush()
    expect(server.keys).toEqual([second.id])
    expect(await outbox.entries()).toEqual([])
  })

  it('loses nothing when nobody is signed in', async () => {
    server.answers = () => ({ status: 401, error: 'NotSignedIn' })
    const outbox = new Outbox(store, post)
    await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    expect((await outbox.flush()).stopped).toBe('signed-out')
    expect((await outbox.entries()).map((entry) => entry.state)).toEqual(['waiting'])
  })

  it('leaves nothing behind that was added while a sender was about to end', async () => {
    let release = () => undefined as void
    const released = new Promise<void>((resolve) => (release = resolve))
    let looked = () => undefined as void
    const lookedLast = new Promise<void>((resolve) => (looked = resolve))
    const request = async (_name: string, work: () => Promise<unknown>) => {
      const result = await work()
      looked()
      await released
      return result
    }
    vi.stubGlobal('navigator', { locks: { request } })
    const outbox = new Outbox(store, post)
    const first = outbox.flush()
    await lookedLast
    await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    const second = outbox.flush()
    release()
    await Promise.all([first, second])
    vi.unstubAllGlobals()
    expect(server.keys).toHaveLength(1)
    expect(await outbox.entries()).toEqual([])
  })

  it('tells of each act that the server took', async () => {
    const told: string[] = []
    server.answers = (entry) => (entry.lane === 'WO-1' ? { status: 409, error: 'JobOrderNotRunning' } : { status: 200 })
    const outbox = new Outbox(store, post, (entry) => told.push(entry.lane))
    await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    await outbox.add(act('WO-2'), 'CNC-1', 'E-1')
    await outbox.flush()
    expect(told).toEqual(['WO-2'])
  })

  it('is sent by one sender at a time', async () => {
    const outbox = new Outbox(store, post)
    await outbox.add(act('WO-1'), 'CNC-1', 'E-1')
    await Promise.all([outbox.flush(), outbox.flush(), outbox.flush()])
    expect(server.keys).toHaveLength(1)
  })
})
