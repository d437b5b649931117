import type { Job, Refusal, TerminalSnapshot } from '@/api/types'
import { compare } from '@/lib/decimal'
import type { Command, Scan } from './grammar'

// Where a scan leads on the terminal that received it.

export type Route =
  | { to: 'badge'; badge: string }
  | { to: 'start'; job: Job }
  | { to: 'resume'; job: Job }
  | { to: 'consume'; job: Job; lot: string }
  | { to: 'serial'; job: Job; serial: string }
  | { to: 'command'; command: Command }
  | { to: 'known'; job: Job }
  | { to: 'refused'; code: string; params: Record<string, unknown> }

function refused(code: string, params: Record<string, unknown> = {}): Route {
  return { to: 'refused', code, params }
}

function toJob(snapshot: TerminalSnapshot, number: string): Route {
  const here = (job: Job) => job.id === number || job.work_order === number
  const { job, queue } = snapshot
  if (job && here(job)) return { to: 'known', job }
  const next = queue.find(here)
  if (!next) return refused('JobNotHere', { number, terminal: snapshot.terminal })
  if (job) return refused('TerminalBusy', { job: job.id })
  return next.status === 'Held' || next.status === 'Suspended' ? { to: 'resume', job: next } : { to: 'start', job: next }
}

/**
 * The count on a label is what the box held, not what the job takes: the server takes what the job needs.
 * A number that lots of two of its materials have means neither.
 */
function toLot(snapshot: TerminalSnapshot, lot: string, now: number): Route {
  const { job } = snapshot
  if (!job) return refused('NoJobHere', { lot })
  const lots = job.components.flatMap((component) => component.lots)
  const exact = lots.find((one) => one.code === lot)
  const alike = lots.filter((one) => one.lot === lot || one.code.startsWith(`${lot}@`))
  if (!exact && alike.length > 1) return refused('LotNotClear', { lot, lots: alike.map((one) => one.code).join(', ') })
  const known = exact ?? alike[0]
  if (known?.expires_at && Date.parse(known.expires_at) < now) {
    return refused('LotExpired', { lot, expired_at: known.expires_at, expires_at: known.expires_at })
  }
  if (known && compare(known.quantity, '0') <= 0) return refused('LotTooSmall', { lot, on_hand: known.quantity })
  return { to: 'consume', job, lot }
}

function toSerial(snapshot: TerminalSnapshot, serial: string): Route {
  const { job } = snapshot
  if (!job) return refused('NoJobHere', { serial })
  if (!job.serials.includes(serial)) return refused('SerialNotOfJob', { serial, job: job.id })
  return { to: 'serial', job, serial }
}

/** Answers to a sheet that is open; the sheet knows whom they are for. */
const ANSWERS = new Set<unknown>(['CONFIRM', 'CANCEL'])

/** Decides what a scan does; `now` is in milliseconds, `away` says why nobody acts here now (`standing.ts`). */
export function routeScan(scan: Scan, snapshot: TerminalSnapshot, now: number, away: Refusal | null): Route {
  const { fields } = scan
  if (fields.person) return { to: 'badge', badge: fields.person }
  if (away && !ANSWERS.has(fields.command)) return refused(away.error, away.params)
  if (fields.command) return { to: 'command', command: fields.command as Command }
  if (fields.job_order) return toJob(snapshot, fields.job_order)
  if (fields.work_order) return toJob(snapshot, fields.work_order)
  if (fields.lot) return toLot(snapshot, fields.lot, now)
  if (fields.serial) return toSerial(snapshot, fields.serial)
  return refused('NothingToDoWithScan')
}
