import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import { newKey } from '@/api/client'
import type { Refusal, TerminalSnapshot } from '@/api/types'
import { stamp, stampOf, waitedS, type Contact, type Stamp } from './waiting'

// Every act at the terminal is written here first and sent from here: in order, one at a time,
// each under the key that was made when it was done. What is in here survives a reload, a dead
// battery and a shift without a network.

/** The word of an act; its title is `act.<verb>` in the pages' texts. */
export type Verb = string

export interface Act {
  verb: Verb
  /** Acts of one lane stay in order, and wait behind a refused one: the work order's number. */
  lane: string
  path: string
  body: Record<string, unknown>
  /** Words for the list of waiting acts. */
  title: { [key: string]: string | number | null }
  job: string | null
}

export interface Entry extends Act {
  seq: number
  /** The Idempotency-Key. */
  id: string
  /** By this device's clock: for people to read, and as information in the body. */
  at: string
  /** Says to the server when it was done; missing where an older page wrote the act down. */
  stamp?: Stamp
  terminal: string
  person: string | null
  /** Of the sign-on it was done under; the server believes it even after a new sign-in. */
  receipt: string | null
  state: 'waiting' | 'conflict'
  refusal: Refusal | null
}

interface Kept { unit: string; snapshot: TerminalSnapshot; receipt: string | null; at: string; contact: Contact | null }

interface Store extends DBSchema {
  outbox: { key: number; value: Entry }
  snapshots: { key: string; value: Kept }
}

/** `said` is what the server answered to an act that it took. */
export type Post = (entry: Entry) => Promise<{ status: number; refusal: Refusal | null; said?: unknown }>

export interface Result {
  sent: Entry[]
  refused: Entry[]
  /** Why the rest still waits: nothing left, the network, or nobody is signed in. */
  stopped: 'empty' | 'network' | 'signed-out'
}

/** `gone` is called when the browser took the store away (storage cleared, a tablet that slept too long). */
export async function openStore(name = 'lineside-terminal', gone = (): void => undefined): Promise<IDBPDatabase<Store>> {
  return openDB<Store>(name, 1, {
    upgrade(database) {
      database.createObjectStore('outbox', { keyPath: 'seq', autoIncrement: true })
      database.createObjectStore('snapshots', { keyPath: 'unit' })
    },
    terminated: gone,
  })
}

/** What says when an act was done, where that is now. */
function doneNow(body: Act['body']): Pick<Entry, 'at' | 'stamp' | 'body'> {
  const at = new Date().toISOString()
  return { at, stamp: stamp(), body: { ...body, device_time: at } }
}

/** Seconds since an act was done, for `X-Waited-S`. */
export function waitedOf(entry: Entry): Promise<string> {
  return waitedS(entry.stamp ?? stampOf(entry.at), entry.terminal)
}

/**
 * Sends the entry; `Error` means that no server of ours answered: a proxy's sign-in page and a
 * hotspot's welcome say 200 too, and the act is not done by that.
 */
export async function postEntry(entry: Entry): ReturnType<Post> {
  const response = await fetch(entry.path, {
    method: 'POST',
    credentials: 'same-origin',
    headers: {
      'Content-Type': 'application/json',
      'Idempotency-Key': entry.id,
      'X-Terminal': entry.terminal,
      'X-Waited-S': await waitedOf(entry),
      ...(entry.receipt ? { 'X-Sign-On': entry.receipt } : {}),
    },
    body: JSON.stringify(entry.body),
    redirect: 'error',
    signal: AbortSignal.timeout(15_000),
  })
  if (NO_ANSWER.has(response.status)) return { status: response.status, refusal: null }
  const body: unknown = await response.json().catch(() => null)
  const ours = response.headers.get('Content-Type')?.startsWith('application/json')
  if (response.ok && !ours) throw new Error(`${entry.path}: somebody else answered`)
  if (response.ok) return { status: response.status, refusal: null, said: body }
  const known = typeof body === 'object' && body !== null && 'error' in body
  const refusal = known ? (body as Refusal) : { error: response.status >= 500 ? FAILED : 'Refused', params: { status: response.status } }
  return { status: response.status, refusal }
}

/** Nobody looked at the act: a gateway spoke for the server, or it has no time or no database now. */
const NO_ANSWER = new Set([408, 425, 429, 502, 503, 504])

/** The server failed at this act alone: asked again it must know that it is the same one. */
const FAILED = 'InternalFault'

/** The person was not at the terminal then, as the server saw it: done again is done now. */
const NOT_THERE = new Set(['TerminalTakenOver', 'NobodySignedOn'])

export class Outbox {
  private readonly open: (gone: () => void) => ReturnType<typeof openStore>
  private opened: ReturnType<typeof openStore> | null = null
  private readonly post: Post
  private readonly delivered: (entry: Entry, said: unknown) => void
  /** The sender that has not begun yet. */
  private queued: Promise<Result> | null = null
  private last: Promise<void> = Promise.resolve()

  /** `delivered` hears of each entry that the server took, and its answer, before the next one is sent. */
  constructor(
    open: (gone: () => void) => ReturnType<typeof openStore> = (gone) => openStore(undefined, gone),
    post: Post = postEntry,
    delivered: (entry: Entry, said: unknown) => void = () => undefined,
  ) {
    this.open = open
    this.post = post
    this.delivered = delivered
  }

  /** The browser's store; opened anew where it was closed on us or could not be opened. */
  private get store(): ReturnType<typeof openStore> {
    const gone = () => {
      this.opened = null
    }
    if (!this.opened) {
      this.opened = this.open(gone)
      this.opened.catch(gone)
    }
    return this.opened
  }

  /** Does it again on a store that is opened anew: some browsers close one without a word. */
  private async insist<T>(work: (database: IDBPDatabase<Store>) => Promise<T>): Promise<T> {
    try {
      return await work(await this.store)
    } catch {
      this.opened = null
      return work(await this.store)
    }
  }

  /** Writes the act down; it is safe from here on. */
  async add(act: Act, terminal: string, person: string | null, receipt: string | null = null): Promise<Entry> {
    const entry: Omit<Entry, 'seq'> = {
      ...act,
      ...doneNow(act.body),
      id: newKey(),
      terminal,
      person,
      receipt,
      state: 'waiting',
      refusal: null,
    }
    const seq = await this.insist((database) => database.add('outbox', entry as Entry))
    return { ...entry, seq }
  }

  async entries(): Promise<Entry[]> {
    return this.insist((database) => database.getAll('outbox'))
  }

  /**
   * Sends what waits, oldest first. Several callers, also in other tabs, share one sender; one that
   * is under way may have looked for the last time already, so who calls meanwhile gets the next:
   * what was added before the call is never left behind.
   */
  flush(): Promise<Result> {
    if (this.queued) return this.queued
    const sending = this.last.then(() =>
      this.alone(() => {
        this.queued = null
        return this.drain()
      }),
    )
    const ended = () => {
      if (this.queued === sending) this.queued = null
    }
    this.queued = sending
    this.last = sending.then(ended, ended)
    return sending
  }

  /**
   * Tries a refused act again, as a new command (the server keeps its answer to the old key). An act
   * of somebody who was not at the terminal then is done anew by who is there now, with all that
   * waits behind it; so is any other where `again` says so.
   */
  async retry(seq: number, person: string | null = null, receipt: string | null = null, again = false): Promise<void> {
    const database = await this.store
    const entry = await database.get('outbox', seq)
    if (!entry) return
    const anew = receipt !== null && (again || NOT_THERE.has(entry.refusal?.error ?? ''))
    for (const one of await this.entries()) {
      const behind = one.lane === entry.lane && one.terminal === entry.terminal && one.seq > seq
      if (one.seq !== seq && !(anew && behind)) continue
      const now = anew ? { person, receipt, ...doneNow(one.body) } : {}
      const id = one.refusal?.error === FAILED && !anew ? one.id : newKey()
      await database.put('outbox', { ...one, ...now, id, state: 'waiting', refusal: null })
    }
  }

  /** Takes a refused act out for good. */
  async drop(seq: number): Promise<void> {
    await (await this.store).delete('outbox', seq)
  }

  async keepSnapshot(unit: string, snapshot: TerminalSnapshot, receipt: string | null): Promise<void> {
    await (await this.store).put('snapshots', { unit, snapshot, receipt, at: new Date().toISOString(), contact: stamp().contact })
  }

  async keptSnapshot(unit: string): Promise<Kept | undefined> {
    return (await this.store).get('snapshots', unit)
  }

  private async alone(work: () => Promise<Result>): Promise<Result> {
    const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks
    return locks ? locks.request('lineside-outbox', work) : work()
  }

  private async drain(): Promise<Result> {
    const result: Result = { sent: [], refused: [], stopped: 'empty' }
    const held = new Set<string>()
    for (let entry = await this.next(held); entry; entry = await this.next(held)) {
      const stopped = await this.deliver(entry, held, result)
      if (stopped) return { ...result, stopped }
    }
    return result
  }

  private async next(held: Set<string>): Promise<Entry | undefined> {
    for (const entry of await this.entries()) {
      if (entry.state === 'conflict') held.add(entry.lane)
      else if (!held.has(entry.lane)) return entry
    }
    return undefined
  }

  private async deliver(entry: Entry, held: Set<string>, result: Result): Promise<Result['stopped'] | null> {
    let answer: Awaited<ReturnType<Post>>
    try {
      answer = await this.post(entry)
    } catch {
      return 'network'
    }
    if (answer.status === 401) return 'signed-out'
    if (NO_ANSWER.has(answer.status)) return 'network'
    const database = await this.store
    if (answer.refusal === null) {
      await database.delete('outbox', entry.seq)
      this.delivered(entry, answer.said)
      result.sent.push(entry)
      return null
    }
    const refused: Entry = { ...entry, state: 'conflict', refusal: answer.refusal }
    await database.put('outbox', refused)
    held.add(entry.lane)
    result.refused.push(refused)
    return null
  }
}
