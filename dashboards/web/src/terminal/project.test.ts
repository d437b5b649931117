import { describe, expect, it } from 'vitest'
import type { Job, TerminalSnapshot } from '@/api/types'
import type { Entry, Verb } from './outbox'
import { canBegin, leftOf, projectAll } from './project'
import { parseScan } from './scan/grammar'
import { routeScan } from './scan/route'
import { turnedAway } from './standing'

function job(id: string, over: Partial<Job> = {}): Job {
  return {
    id, work_order: id.replace(/-\d+$/, ''), operation: 10, name: 'Machining', material: 'PUMP-40', material_name: 'Pump', quantity: '5', good: '0',
    scrap: '0', remaining: '5', available: '5', room: '5', uom: 'pc', digits: 0, status: 'Ready', hold_reason: null, planned_start: null, planned_end: null, started_at: null,
    equipment: 'CNC-1', customer: null, due_at: '2026-03-02T02:00:00Z', priority: 5, late: false, last: false, skill: null, run_s: '15', setup_s: '0',
    serials: ['SN-00000001'], instructions: '', startable: true, not_startable: null,
    components: [
      { material: 'CAST-40', name: 'Casting', required: '5', consumed: '0', uom: 'pc', lots: [
        { lot: 'LOT-CAST-40-0001', code: 'LOT-CAST-40-0001', quantity: '3', expires_at: null },
        { lot: 'LOT-CAST-40-0002', code: 'LOT-CAST-40-0002', quantity: '9', expires_at: '2026-01-01T00:00:00Z' },
      ] },
    ],
    ...over,
  }
}

function snapshot(over: Partial<TerminalSnapshot> = {}): TerminalSnapshot {
  return {
    terminal: 'CNC-1', at: '2026-03-02T02:00:00Z',
    equipment: { id: 'CNC-1', name: 'CNC 1', work_center: 'MC', state: 'Idle', since: null, reason: null, down: false, back_at: null },
    people: [{ id: 'E-1001', name: 'Zhang Wei', skills: [] }], job: null, queue: [job('WO-000001-10'), job('WO-000002-10')],
    reasons: { scrap: [], stop: [], hold: [], reversal: [] }, tray: { labels: [] }, last: [], visitor: false,
    help: null, scan: null, ...over,
  }
}

let seq = 0
function entry(verb: Verb, id: string, body: Record<string, unknown> = {}): Entry {
  seq += 1
  return {
    seq, id: `key-${seq}`, verb, lane: id.replace(/-\d+$/, ''), path: '', body, title: {}, job: id, at: '', terminal: 'CNC-1',
    person: 'E-1001', receipt: null, state: 'waiting', refusal: null,
  }
}

const running = (over: Partial<Job> = {}) => snapshot({ job: job('WO-000001-10', { status: 'Running', ...over }), queue: [] })

describe('what the operator sees before the server has answered', () => {
  it('a started job runs, and leaves the queue', () => {
    const seen = projectAll(snapshot(), [entry('start', 'WO-000001-10')])
    expect(seen.job?.status).toBe('Running')
    expect(seen.queue.map((one) => one.id)).toEqual(['WO-000002-10'])
  })

  it('reports add up in decimals', () => {
    const seen = projectAll(running({ quantity: '1', remaining: '1' }), [
      entry('report', 'WO-000001-10', { good: '0.1', scrap: '0' }),
      entry('report', 'WO-000001-10', { good: '0.2', scrap: '0.3' }),
    ])
    expect([seen.job?.good, seen.job?.scrap, seen.job?.remaining]).toEqual(['0.3', '0.3', '0.4'])
  })

  it('a lot gives what is missing, or what it has', () => {
    const seen = projectAll(running(), [entry('consume', 'WO-000001-10', { lot: 'LOT-CAST-40-0001' })])
    expect(seen.job?.components[0]?.consumed).toBe('3')
  })

  it('a lot that was used up is not the next one, and gives nothing more', () => {
    const parts = { material: 'CAST-40', name: 'Casting', required: '10', consumed: '0', uom: 'pc' }
    const lots = [{ lot: 'LOT-A', code: 'LOT-A', quantity: '4', expires_at: null }, { lot: 'LOT-B', code: 'LOT-B', quantity: '50', expires_at: null }]
    const before = running({ components: [{ ...parts, lots }] })
    const seen = projectAll(before, [entry('consume', 'WO-000001-10', { lot: 'LOT-A' })])
    const left = (one: TerminalSnapshot) => one.job?.components.flatMap(leftOf).map((lot) => [lot.lot, lot.quantity])
    expect(left(seen)).toEqual([['LOT-B', '50']])
    expect(routeScan(parseScan('LOT:LOT-A'), seen, 0, null)).toMatchObject({ code: 'LotTooSmall', params: { lot: 'LOT-A' } })
    const full = projectAll(seen, [entry('consume', 'WO-000001-10', { lot: 'LOT-B' })])
    expect(full.job?.components[0]?.consumed).toBe('10')
    expect(left(full)).toEqual([['LOT-B', '44']])
  })

  it('what waits to be undone is not offered again', () => {
    const last = [{ id: 'r-2', undone: false }, { id: 'r-1', undone: false }] as TerminalSnapshot['last']
    const seen = projectAll(snapshot({ last }), [entry('reverse', 'WO-000001-10', { report: 'r-2', reason: 'miscounted' })])
    expect(seen.last.find((one) => !one.undone)?.id).toBe('r-1')
  })

  it('scrap takes no place of a good piece where it is made up for', () => {
    const seen = projectAll(running(), [entry('report', 'WO-000001-10', { good: '3', scrap: '2', reason: 'surface' })])
    expect([seen.job?.remaining, seen.job?.room]).toEqual(['0', '2'])
    const later = projectAll(running({ room: null }), [entry('report', 'WO-000001-10', { good: '3', scrap: '2', reason: 'surface' })])
    expect(later.job?.room).toBeNull()
  })

  it('what was undone is to be made again, and its material lies there again', () => {
    const line = { job_order: 'WO-000001-10', undone: false, good: '0', scrap: '0', material: null, lot: null, quantity: null }
    const last = [
      { ...line, id: 'r-1', kind: 'report', good: '4', scrap: '1' },
      { ...line, id: 'c-1', kind: 'consumption', material: 'CAST-40', lot: 'LOT-CAST-40-0001', quantity: '3' },
    ] as TerminalSnapshot['last']
    const part = { ...job('').components[0], consumed: '3', lots: [{ lot: 'LOT-CAST-40-0001', code: 'LOT-CAST-40-0001', quantity: '0', expires_at: null }] }
    const before = { ...running({ good: '4', scrap: '1', remaining: '0', available: '0', components: [part as never] }), last }
    const undo = (report: string) => entry('reverse', 'WO-000001-10', { report, reason: 'miscounted' })
    const seen = projectAll(before, [undo('r-1'), undo('c-1'), undo('c-1')])
    expect([seen.job?.good, seen.job?.scrap, seen.job?.remaining, seen.job?.available]).toEqual(['0', '0', '5', '5'])
    expect(seen.job?.components[0]).toMatchObject({ consumed: '0', lots: [{ quantity: '3' }] })
    expect(seen.last.every((one) => one.undone)).toBe(true)
  })

  it('without a network a job whose pieces are still to come may begin: they may be here', () => {
    const early = job('WO-000004-10', { startable: false, not_startable: { code: 'JobOrderNotStartable', params: { reason: 'nothing-before' } } })
    const taken = job('WO-000004-10', { startable: false, not_startable: { code: 'JobOrderNotStartable', params: { reason: 'running' } } })
    expect([canBegin(early, true), canBegin(early, false), canBegin(taken, false)]).toEqual([false, true, false])
  })

  it('a paused job waits at the head of the queue', () => {
    const seen = projectAll(running(), [entry('hold', 'WO-000001-10')])
    expect([seen.job, seen.queue[0]?.status]).toEqual([null, 'Held'])
    expect(projectAll(seen, [entry('resume', 'WO-000001-10')]).job?.status).toBe('Running')
  })

  it('a refused act is not shown as done', () => {
    const refused: Entry = { ...entry('report', 'WO-000001-10', { good: '1' }), state: 'conflict' }
    expect(projectAll(running(), [refused]).job?.good).toBe('0')
  })

  it('a completed job is gone, and nobody is there after signing off', () => {
    const seen = projectAll(running(), [entry('complete', 'WO-000001-10'), entry('sign-off', '')])
    expect([seen.job, seen.people]).toEqual([null, []])
  })

  it.each(['complete', 'hold'] as const)('after a %s the next job can start, and then the others wait for it', (verb) => {
    const busy = { startable: false, not_startable: { code: 'EquipmentBusy', params: { job_order: 'WO-000001-10' } } }
    const early = { startable: false, not_startable: { code: 'JobOrderNotStartable', params: { reason: 'nothing-before' } } }
    const queue = [job('WO-000002-10', busy), job('WO-000003-10', busy), job('WO-000004-10', early)]
    const first = { ...running(), queue }
    const free = projectAll(first, [entry(verb, 'WO-000001-10')])
    expect(free.queue.filter((one) => one.startable).map((one) => one.id)).toEqual(['WO-000002-10', 'WO-000003-10'])
    const next = projectAll(first, [entry(verb, 'WO-000001-10'), entry('start', 'WO-000002-10'), entry('report', 'WO-000002-10', { good: '2' })])
    expect([next.job?.id, next.job?.good]).toEqual(['WO-000002-10', '2'])
    expect(next.queue.filter((one) => one.startable)).toEqual([])
  })
})

describe('a scan leads to', () => {
  const now = Date.parse('2026-03-02T02:00:00Z')
  const at = (text: string, seen = snapshot(), mine = true) => routeScan(parseScan(text), seen, now, turnedAway(seen, mine ? 'a receipt' : null))

  it.each(['WO:WO-000002', 'OP:WO-000002-10'])('the start of a planned job: %s', (text) => {
    expect(at(text)).toMatchObject({ to: 'start', job: { id: 'WO-000002-10' } })
  })

  it('a refusal when another job is open here', () => {
    expect(at('WO:WO-000002', snapshot({ job: job('WO-000001-10', { status: 'Running' }) }))).toMatchObject({ code: 'TerminalBusy' })
  })

  it('a refusal when the job is planned elsewhere', () => {
    expect(at('WO:WO-000009')).toMatchObject({ code: 'JobNotHere', params: { number: 'WO-000009' } })
  })

  it('the use of a lot, also of one that only the server knows', () => {
    expect(at('LOT:LOT-CAST-40-0001', running())).toMatchObject({ to: 'consume', lot: 'LOT-CAST-40-0001' })
    expect(at('LOT:LOT-NEW-1', running())).toMatchObject({ to: 'consume', lot: 'LOT-NEW-1' })
  })

  it('a lot as the ERP calls it; what other letters mean only the server knows', () => {
    const lots = ['Heat-7a', 'HEAT-7B', 'heat-7b', '批次-1', 'CH 12'].map((lot) => ({ lot, code: lot, quantity: '3', expires_at: null }))
    const part = { material: 'CAST-40', name: 'Casting', required: '5', consumed: '0', uom: 'pc', lots }
    const seen = snapshot({ job: job('WO-000001-10', { status: 'Running', components: [part] }) })
    for (const { lot } of lots) expect(at(`LOT:${lot}`, seen)).toMatchObject({ to: 'consume', lot })
    expect(at('lot:hEAT-7A', seen)).toMatchObject({ to: 'consume', lot: 'hEAT-7A' })
    expect(at('LOT:Heat-9', seen)).toMatchObject({ to: 'consume', lot: 'Heat-9' })
  })

  it('neither of two materials with the same lot number, but the one whose label or button it is', () => {
    const lot = (material: string, id: string) => ({ lot: id, code: `X@${material}`, quantity: '3', expires_at: null })
    const part = (material: string, id: string) => ({ material, name: material, required: '5', consumed: '0', uom: 'pc', lots: [lot(material, id)] })
    const seen = snapshot({ job: job('WO-000001-10', { status: 'Running', components: [part('BOLT', 'X'), part('SEAL', 'X@SEAL')] }) })
    expect(at('LOT:X', seen)).toMatchObject({ code: 'LotNotClear', params: { lot: 'X', lots: 'X@BOLT, X@SEAL' } })
    for (const material of ['BOLT', 'SEAL']) {
      expect(at(`LOT:X@${material}`, seen)).toMatchObject({ to: 'consume', lot: `X@${material}` })
      const used = projectAll(seen, [entry('consume', 'WO-000001-10', { lot: `X@${material}` })])
      expect(used.job?.components.filter((one) => one.consumed !== '0').map((one) => one.material)).toEqual([material])
    }
    const alone = snapshot({ job: job('WO-000001-10', { status: 'Running', components: [part('BOLT', 'X')] }) })
    expect(at('LOT:X', alone)).toMatchObject({ to: 'consume', lot: 'X' })
  })

  it('a refusal of an expired lot before anything is sent', () => {
    expect(at('LOT:LOT-CAST-40-0002', running())).toMatchObject({ code: 'LotExpired' })
  })

  it('the lot of a supplier label, and never the count of the whole box', () => {
    const label = '[)>\u001e06\u001dPCAST-40\u001dQ500\u001d1TLOT-CAST-40-0001\u001e\u0004'
    const route = at(label, running())
    expect(route).toMatchObject({ to: 'consume', lot: 'LOT-CAST-40-0001' })
    expect(route).not.toHaveProperty('quantity')
  })

  it('a badge at any time, and nothing else before somebody is signed on', () => {
    const empty = snapshot({ people: [] })
    expect(at('EMP:E-1002', empty)).toEqual({ to: 'badge', badge: 'E-1002' })
    expect(at('WO:WO-000001', empty)).toMatchObject({ code: 'NobodySignedOn' })
  })

  it.each(['WO:WO-000001', 'LOT:LOT-CAST-40-0001', 'SN:SN-00000001', 'CMD:GOOD', 'CMD:START'])('nothing where another browser has the terminal: %s', (text) => {
    expect(at(text, running(), false)).toMatchObject({ code: 'TerminalTakenOver', params: { terminal: 'CNC-1' } })
    expect(at(text, snapshot({ people: [] }), false)).toMatchObject({ code: 'NobodySignedOn' })
  })

  it('a badge, or the answer to a sheet, wherever the terminal is', () => {
    expect(at('EMP:E-1002', running(), false)).toMatchObject({ to: 'badge' })
    expect(at('CMD:CONFIRM', running(), false)).toMatchObject({ to: 'command', command: 'CONFIRM' })
  })

  it('a piece of this job, or a refusal', () => {
    expect(at('SN:SN-00000001', running())).toMatchObject({ to: 'serial' })
    expect(at('SN:SN-00000099', running())).toMatchObject({ code: 'SerialNotOfJob' })
  })
})
