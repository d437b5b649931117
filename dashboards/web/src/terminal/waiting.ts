// How long an act has waited here. The server dates an act: by its own clock, less what this says.
// It must be true over a shift without a network, a tablet that sleeps, a reload, and a clock that
// is wrong, or that somebody or the network sets meanwhile.

/**
 * This device's clocks at one moment, ms. `wall` goes on in sleep and over a reload, but can be set.
 * `tick` cannot be set, but stands still in sleep, and is this `page`'s alone.
 */
export interface Moment { wall: number; tick: number; page: number }

/** What the server's clock showed, ms, at a moment of ours. */
export interface Contact { server: number; at: Moment }

/** A moment, and the last contact before it. */
export interface Stamp { moment: Moment; contact: Contact | null }

/** Slow answers and drifting clocks differ by so much; only more is a clock that was set. */
const NOISE_MS = 10_000
/** So long what was heard of the server's clock serves for the next act too. */
const FRESH_MS = 30_000

let last: Contact | null = null

export function moment(): Moment {
  return { wall: Date.now(), tick: performance.now(), page: performance.timeOrigin }
}

export function stamp(): Stamp {
  return { moment: moment(), contact: last }
}

/** The stamp of an act that was kept without one: its wall clock alone. */
export function stampOf(at: string): Stamp {
  return { moment: { wall: Date.parse(at), tick: 0, page: 0 }, contact: null }
}

/** Takes over what the page before this one knew of the server's clock. */
export function remember(contact: Contact | null | undefined): void {
  last ??= contact ?? null
}

/** Notes what the server's clock showed in an answer to a question asked at `asked`. */
export function heard(server: number, asked: Moment): void {
  if (Number.isNaN(server)) return
  const now = moment()
  last = { server, at: { ...now, wall: (now.wall + asked.wall) / 2 } }
}

/** Two contacts, where the server told its time again after the act: the same one twice tells nothing. */
function newer(before: Contact | null, after: Contact | null): { before: Contact; after: Contact } | null {
  return before && after && after.server > before.server ? { before, after } : null
}

const ahead = (contact: Contact) => contact.at.wall - contact.server

/** Says whether both clocks of this page agree that less than this lies between two moments. */
function within(then: Moment, now: Moment, most_ms: number): boolean {
  const tick = now.tick - then.tick
  return then.page === now.page && tick < most_ms && Math.abs(now.wall - then.wall - tick) < NOISE_MS
}

/**
 * Milliseconds from `act` to `now`.
 *
 * The wall clock says it, unless it was set between the two contacts; then mostly when the network
 * came back, so after the act, else before it: whichever can be true. It has waited no less than
 * this page's own clock says, and no longer than the last contact before it is ago.
 */
export function waitedMs(act: Stamp, now: Stamp): number {
  const wall = now.moment.wall - act.moment.wall
  const least = act.moment.page === now.moment.page ? now.moment.tick - act.moment.tick : 0
  const both = newer(act.contact, now.contact)
  const set = both ? ahead(both.after) - ahead(both.before) : 0
  const most = both ? both.after.server - both.before.server + FRESH_MS + NOISE_MS : Infinity
  const possible = (ms: number) => ms >= least - NOISE_MS && ms <= most
  const told = Math.abs(set) > NOISE_MS ? [wall - set, wall] : [wall]
  return Math.max(0, least, told.find(possible) ?? least)
}

/** Asks what the server's clock shows, unless that is known: itself, for a proxy has its own. Rejects without a network. */
async function hear(terminal: string): Promise<void> {
  if (last && within(last.at, moment(), FRESH_MS)) return
  const asked = moment()
  const path = `/api/v1/terminals/${encodeURIComponent(terminal)}`
  const answer = await fetch(path, { cache: 'no-store', credentials: 'same-origin', signal: AbortSignal.timeout(15_000) })
  const told = (await answer.json().catch(() => null)) as { at?: unknown } | null
  heard(Date.parse(String(told?.at)), asked)
}

/** Seconds that an act has waited, for `X-Waited-S`. Rejects where only the server could tell and is not there. */
export async function waitedS(act: Stamp, terminal: string): Promise<string> {
  if (!within(act.moment, moment(), NOISE_MS)) await hear(terminal)
  return String(waitedMs(act, stamp()) / 1000)
}
