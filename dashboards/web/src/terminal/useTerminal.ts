import { computed, onScopeDispose, ref, shallowRef } from 'vue'
import { answer, client, newKey, ServerRefusal, Unreachable, whyNot } from '@/api/client'
import { isOnline, onChange, onReconnect } from '@/api/live'
import type { HelpCall, Job, Person, Recent, Refusal, TerminalSnapshot } from '@/api/types'
import { Outbox, waitedOf, type Act, type Entry, type Verb } from './outbox'
import { project, projectAll } from './project'
import { turnedAway } from './standing'
import { whileTouched } from './touched'
import { heard, moment, remember } from './waiting'

const REFETCH_MS = 200
const BACK_OFF_MS = [1_000, 2_000, 5_000, 10_000, 20_000, 30_000]
/** A picture that takes longer than this is no picture: it must not keep the next one away. */
const PICTURE_MS = 15_000

function jobPath(job: Job, verb: Verb): string {
  return `/api/v1/job-orders/${encodeURIComponent(job.id)}/${verb}`
}

/** The state of one terminal: its last snapshot, what waits to be sent, and the acts of a person. */
export function useTerminal(unit: string) {
  const outbox = new Outbox(undefined, undefined, settle)
  const base = shallowRef<TerminalSnapshot | null>(null)
  const entries = shallowRef<Entry[]>([])
  const refusal = ref<Refusal | null>(null)
  /** Acts that this device could not write down: they did not happen, and whoever tapped must hear it. */
  const unwritten = ref(0)
  const signedOut = ref(false)
  const reachable = ref(true)
  const keptAt = ref<string | null>(null)
  /** When help was called that nobody was told of any more, because the call arrived too late. */
  const lateCall = ref<string | null>(null)
  const snapshot = computed(() => (base.value ? projectAll(base.value, entries.value) : null))
  const waiting = computed(() => entries.value.filter((entry) => entry.state === 'waiting'))
  const conflicts = computed(() => entries.value.filter((entry) => entry.state === 'conflict'))
  /** Given where the person at the terminal signed on in this browser; shown with every act. */
  const receipt = ref<string | null>(null)
  const away = computed<Refusal | null>(() => snapshot.value && turnedAway(snapshot.value, receipt.value))
  const there = computed<Person | null>(() => snapshot.value?.people[0] ?? null)
  const person = computed<Person | null>(() => (away.value ? null : there.value))
  const other = computed<Person | null>(() => (away.value ? there.value : null))
  const online = computed(() => isOnline.value && reachable.value)
  let timer: number | undefined
  let due = Infinity
  let failures = 0
  /** Pictures asked for, the newest shown, and the last that was asked for before something was sent. */
  const pictures = { begun: 0, shown: 0, old: 0 }
  const fetching: { now: Promise<void>; next: Promise<void> | null } = { now: Promise.resolve(), next: null }
  const readings = { begun: 0, shown: 0 }
  const delivered = new Set<number>()

  /** What the server took belongs to the picture until a newer one is there, also without a network. */
  function settle(entry: Entry, said: unknown): void {
    if (entry.terminal !== unit) return
    if (entry.verb === 'help') lateCall.value = (said as HelpCall | null)?.late ? entry.at : null
    pictures.old = pictures.begun
    delivered.add(entry.seq)
    entries.value = entries.value.filter((one) => one.seq !== entry.seq)
    if (!base.value) return
    base.value = project(base.value, entry)
    void outbox.keepSnapshot(unit, base.value, receipt.value)
  }

  async function readOutbox(): Promise<void> {
    readings.begun += 1
    const reading = readings.begun
    const found = await outbox.entries()
    if (reading < readings.shown) return
    readings.shown = reading
    entries.value = found.filter((entry) => entry.terminal === unit && !delivered.has(entry.seq))
  }

  /** One picture is under way at a time; who asks meanwhile shares the next, which begins after it. */
  function fetchSnapshot(): Promise<void> {
    fetching.next ??= fetching.now.then(() => {
      fetching.next = null
      const picture = fetchPicture()
      const ended = () => undefined
      fetching.now = picture.then(ended, ended)
      return picture
    })
    return fetching.next
  }

  async function fetchPicture(): Promise<void> {
    pictures.begun += 1
    const picture = pictures.begun
    const asked = moment()
    const signal = AbortSignal.timeout(PICTURE_MS)
    const options = { params: { path: { unit } }, signal }
    try {
      const [fresh, cards] = await Promise.all([
        answer(client.GET('/api/v1/terminals/{unit}', options), { stay: true }),
        answer(client.GET('/api/v1/terminals', { signal }), { stay: true }),
      ])
      heard(Date.parse(fresh.at), asked)
      // Asked before something was sent, or before the one that is shown: an old picture would take the
      // job from under the next scan.
      if (picture <= pictures.old || picture < pictures.shown) return
      pictures.shown = picture
      receipt.value = cards.find((card) => card.terminal === unit)?.sign_on?.receipt ?? null
      base.value = fresh
      keptAt.value = null
      reachable.value = true
      refusal.value = null
      signedOut.value = false
      await outbox.keepSnapshot(unit, fresh, receipt.value)
    } catch (error) {
      if (error instanceof Unreachable) reachable.value = false
      else if (error instanceof ServerRefusal) {
        if (error.status === 401) signedOut.value = true
        else refusal.value = error.refusal
      } else throw error
    }
  }

  /** Syncs after the delay, or earlier where that was wanted before: a busy plant never puts it off. */
  function later(delay_ms: number): void {
    const at = performance.now() + delay_ms
    if (at >= due) return
    clearTimeout(timer)
    due = at
    timer = setTimeout(() => void sync(), delay_ms) as unknown as number
  }

  /** Sends what waits, then fetches the terminal anew; repeats by itself while it cannot. */
  async function sync(): Promise<void> {
    clearTimeout(timer)
    due = Infinity
    const result = await outbox.flush()
    await readOutbox()
    signedOut.value = result.stopped === 'signed-out'
    reachable.value = result.stopped !== 'network'
    if (reachable.value) await fetchSnapshot()
    failures = reachable.value ? 0 : failures + 1
    if (!reachable.value) later(BACK_OFF_MS[Math.min(failures, BACK_OFF_MS.length) - 1] ?? 30_000)
  }

  async function start(): Promise<void> {
    await readOutbox()
    const kept = await outbox.keptSnapshot(unit)
    remember(kept?.contact)
    if (kept && !base.value) {
      base.value = kept.snapshot
      receipt.value = kept.receipt ?? null
      keptAt.value = kept.at
    }
    void navigator.storage?.persist?.()
    await sync()
  }

  async function act(verb: Verb, job: Job | null, path: string, body: Act['body'], title: Act['title']): Promise<void> {
    const lane = job?.work_order ?? `terminal:${unit}`
    const done: Act = { verb, lane, path, body, title, job: job?.id ?? null }
    try {
      await outbox.add(done, unit, person.value?.id ?? null, receipt.value)
    } catch (cause) {
      unwritten.value += 1
      throw cause
    }
    await readOutbox()
    void sync()
  }

  const acts = {
    start: (job: Job) => act('start', job, jobPath(job, 'start'), {}, { job: job.id }),
    hold: (job: Job, reason: string) => act('hold', job, jobPath(job, 'hold'), { reason }, { job: job.id, reason }),
    resume: (job: Job) => act('resume', job, jobPath(job, 'resume'), {}, { job: job.id }),
    complete: (job: Job, short: string | null) =>
      act('complete', job, jobPath(job, 'complete'), short ? { short: true, reason: short } : {}, { job: job.id }),
    consume: (job: Job, lot: string, quantity?: string) =>
      act('consume', job, jobPath(job, 'consume'), quantity ? { lot, quantity } : { lot }, { job: job.id, lot }),
    report: (job: Job, good: string, scrap: string, reason: string | null, serials: string[], scrapSerials: string[]) =>
      act(
        'report',
        job,
        jobPath(job, 'report'),
        { good, scrap, ...(reason ? { reason } : {}), ...(serials.length ? { serials } : {}), ...(scrapSerials.length ? { scrap_serials: scrapSerials } : {}) },
        { job: job.id, good, scrap, reason },
      ),
    reverse: (job: Job, report: Recent, reason: string) =>
      act('reverse', job, jobPath(job, 'reverse'), { report: report.id, reason }, { job: job.id, reason }),
    stopReason: (reason: string) =>
      act('stop-reason', null, `/api/v1/equipment/${encodeURIComponent(unit)}/stop-reason`, { reason }, { reason }),
    expectedBack: (backAt: string) =>
      act('expected-back', null, `/api/v1/equipment/${encodeURIComponent(unit)}/expected-back`, { back_at: backAt }, {}),
    help: () => act('help', null, `/api/v1/equipment/${encodeURIComponent(unit)}/help`, {}, {}),
    withdrawHelp: (call: HelpCall) => act('help-withdraw', null, `/api/v1/help-calls/${encodeURIComponent(call.id)}/withdraw`, {}, {}),
    signOff: () => act('sign-off', null, `/api/v1/terminals/${encodeURIComponent(unit)}/sign-off`, {}, {}),
  }

  /** Signing on needs the server; what the person before has done goes out first. */
  async function signOn(badge: string, pin: string): Promise<void> {
    await outbox.flush()
    const options = { params: { path: { terminal: unit } }, body: { badge, pin } }
    await answer(client.POST('/api/v1/terminals/{terminal}/sign-on', options), { stay: true })
    pictures.old = pictures.begun
    await sync()
  }

  async function sitDown(id: string): Promise<void> {
    await outbox.flush()
    const options = { params: { path: { terminal: unit } }, body: { person: id } }
    await answer(client.POST('/api/v1/terminals/{terminal}/sit-down', options), { stay: true })
    pictures.old = pictures.begun
    await sync()
  }

  async function retry(entry: Entry, anew = false): Promise<void> {
    await outbox.retry(entry.seq, person.value?.id ?? null, receipt.value, anew)
    await readOutbox()
    await sync()
  }

  /**
   * Clocks in who did a refused act, as of then, and does it again; returns why it could not. Who was
   * clocked in meanwhile, but later than the act, does it now, when it is the one who is here.
   */
  async function clockIn(entry: Entry): Promise<Refusal | null> {
    const who = entry.person ?? person.value?.id ?? ''
    const header = { 'Idempotency-Key': newKey(), 'X-Terminal': unit, ...(receipt.value ? { 'X-Sign-On': receipt.value } : {}) }
    try {
      const waited = { 'X-Waited-S': Number(await waitedOf(entry)) }
      const params = { path: { person: who }, header: { ...header, ...waited } }
      const options = { params, body: { device_time: entry.at } }
      await answer(client.POST('/api/v1/people/{person}/clock-in', options), { stay: true })
    } catch (error) {
      const why = whyNot(error)
      if (why.error !== 'PersonClockedInAlready') return why
    }
    await retry(entry)
    const still = conflicts.value.some((one) => one.seq === entry.seq && one.refusal?.error === 'PersonNotClockedIn')
    if (still && who === person.value?.id) await retry(entry, true)
    return null
  }

  async function drop(entry: Entry): Promise<void> {
    await outbox.drop(entry.seq)
    await readOutbox()
    await sync()
  }

  function sayInUse(): void {
    if (!person.value || !online.value) return
    const options = { params: { path: { terminal: unit } } }
    void client.POST('/api/v1/terminals/{terminal}/in-use', options).catch(() => undefined)
  }

  onChange((change) => {
    const concerns = change.topics.some((topic) => /^(equipment|terminal|job|order|plan|lot|person)/.test(topic))
    if (concerns) later(REFETCH_MS)
  })
  onReconnect(() => later(0))
  const comeBack = () => later(0)
  addEventListener('online', comeBack)
  const untouch = whileTouched(sayInUse)
  onScopeDispose(() => {
    clearTimeout(timer)
    untouch()
    removeEventListener('online', comeBack)
  })
  return {
    snapshot, base, away, person, other, online, waiting, conflicts, refusal, unwritten, signedOut, keptAt, lateCall, acts,
    start, sync, signOn, sitDown, retry, clockIn, drop,
  }
}

export type TerminalState = ReturnType<typeof useTerminal>
