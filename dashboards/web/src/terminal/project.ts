import type { Job, Recent, TerminalSnapshot } from '@/api/types'
import { add, compare, subtract } from '@/lib/decimal'
import type { Entry } from './outbox'

// What the operator sees at once: the last snapshot with the acts that still wait laid over it.

function editJob(snapshot: TerminalSnapshot, id: string | null, edit: (job: Job) => Job): TerminalSnapshot {
  const { job } = snapshot
  return job && job.id === id ? { ...snapshot, job: edit(job) } : snapshot
}

const notBelowZero = (figure: string): string => (compare(figure, '0') < 0 ? '0' : figure)

function reported(job: Job, good: string, scrap: string): Job {
  return {
    ...job,
    good: add(job.good, good),
    scrap: add(job.scrap, scrap),
    remaining: notBelowZero(subtract(job.remaining, add(good, scrap))),
    available: subtract(job.available, add(good, scrap)),
    room: job.room === null ? null : notBelowZero(subtract(job.room, good)),
  }
}

/** The lots that have something left; one that was used up stays known, so that it is not scanned again. */
export function leftOf(component: Job['components'][number]): Job['components'][number]['lots'] {
  return component.lots.filter((one) => compare(one.quantity, '0') > 0)
}

function consumed(job: Job, lot: string, quantity: string | undefined): Job {
  const components = job.components.map((component) => {
    const found = component.lots.find((one) => one.code === lot || one.lot === lot)
    if (!found) return component
    const open = subtract(component.required, component.consumed)
    const whole = quantity ?? (compare(found.quantity, open) < 0 ? found.quantity : open)
    const lots = component.lots.map((one) => (one === found ? { ...one, quantity: subtract(one.quantity, whole) } : one))
    return { ...component, consumed: add(component.consumed, whole), lots }
  })
  return { ...job, components }
}

/** What was counted is to be made again, and what was used lies there again, in the lot it came from. */
function putBack(job: Job, line: Recent): Job {
  if (line.kind === 'report') return reported(job, subtract('0', line.good), subtract('0', line.scrap))
  const quantity = line.quantity ?? '0'
  const components = job.components.map((component) => {
    if (component.material !== line.material) return component
    const lots = component.lots.map((one) => (one.lot === line.lot ? { ...one, quantity: add(one.quantity, quantity) } : one))
    return { ...component, consumed: subtract(component.consumed, quantity), lots }
  })
  return { ...job, components }
}

/** What is undone is offered once. */
function undone(snapshot: TerminalSnapshot, id: string | null, report: string): TerminalSnapshot {
  const line = snapshot.last.find((one) => one.id === report && !one.undone)
  if (!line) return snapshot
  const last = snapshot.last.map((one) => (one === line ? { ...one, undone: true } : one))
  return { ...editJob(snapshot, id, (job) => putBack(job, line)), last }
}

/**
 * Whether a job of the queue may begin now. Without a network nobody here knows what the step before has made
 * since: whoever has the pieces in front of him starts.
 */
export function canBegin(job: Job, online: boolean): boolean {
  if (job.startable || job.status === 'Held' || job.status === 'Suspended') return true
  return !online && job.not_startable?.params.reason === 'nothing-before'
}

/** The unit is free: what waited for it alone can start. */
function freed(queue: Job[]): Job[] {
  return queue.map((job) => (job.not_startable?.code === 'EquipmentBusy' ? { ...job, startable: true, not_startable: null } : job))
}

function taken(queue: Job[], by: string): Job[] {
  const not_startable = { code: 'EquipmentBusy', params: { job_order: by } }
  return queue.map((job) => (job.startable ? { ...job, startable: false, not_startable } : job))
}

function started(snapshot: TerminalSnapshot, id: string | null): TerminalSnapshot {
  const next = snapshot.queue.find((job) => job.id === id)
  if (!next) return editJob(snapshot, id, (job) => ({ ...job, status: 'Running' }))
  const queue = taken(snapshot.queue.filter((job) => job.id !== id), next.id)
  return { ...snapshot, job: { ...next, status: 'Running', startable: false }, queue }
}

function held(snapshot: TerminalSnapshot, id: string | null): TerminalSnapshot {
  const { job, queue } = snapshot
  if (job?.id !== id || !job) return snapshot
  return { ...snapshot, job: null, queue: [{ ...job, status: 'Held', startable: false }, ...freed(queue)] }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '0'
}

/** Lays one waiting act over the snapshot. */
export function project(snapshot: TerminalSnapshot, entry: Entry): TerminalSnapshot {
  const { body, job } = entry
  switch (entry.verb) {
    case 'start':
      return started(snapshot, job)
    case 'resume':
      return started(snapshot, job)
    case 'hold':
      return held(snapshot, job)
    case 'complete':
      return snapshot.job?.id === job ? { ...snapshot, job: null, queue: freed(snapshot.queue) } : snapshot
    case 'report':
      return editJob(snapshot, job, (one) => reported(one, text(body.good), text(body.scrap)))
    case 'consume': {
      const quantity = typeof body.quantity === 'string' ? body.quantity : undefined
      return editJob(snapshot, job, (one) => consumed(one, text(body.lot), quantity))
    }
    case 'reverse':
      return undone(snapshot, job, text(body.report))
    case 'help-withdraw':
      return { ...snapshot, help: null }
    case 'sign-off':
      return { ...snapshot, people: [] }
    default:
      return snapshot
  }
}

/** The snapshot as it will be once everything that waits has arrived. */
export function projectAll(snapshot: TerminalSnapshot, entries: readonly Entry[]): TerminalSnapshot {
  return entries.filter((entry) => entry.state === 'waiting').reduce(project, snapshot)
}
