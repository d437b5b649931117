import { describe, expect, it } from 'vitest'
import type { Plan, PlanEquipment } from '@/api/types'
import { shadesOf, shortLabel, toModel } from '../toModel'
import { step } from './keyboard'
import { Model, type Bar, type Row } from './model'
import { HEADER, NAMES, View } from './view'

const HOUR = 3_600_000
const rows: Row[] = ['A', 'B', 'C'].map((id) => ({ id, name: id, group: '', shades: [] }))

const WORDS = {
  group: (centre: string) => centre,
  unit: (_: string, name: string) => name,
  order: (number: string) => number.replace('PROMISE-', 'Kept '),
}

function bar(id: string, row: number, start: number, end: number, order = id): Bar {
  return { id, order, label: id, short: id, tiny: id, row, start, end, setup_ms: 0, family: 0, late: false, status: 'planned', locked: false, kept: false }
}

describe('the model of the board', () => {
  it('finds exactly what a plain search finds', () => {
    let seed = 7
    const random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
    const bars: Bar[] = []
    for (let row = 0; row < 3; row += 1) {
      let at = 0
      for (let n = 0; n < 200; n += 1) {
        at += random() * 10
        const end = at + 1 + random() * 10
        bars.push(bar(`${row}-${n}`, row, at, end))
        at = end
      }
    }
    const model = new Model(rows, bars)
    for (let n = 0; n < 300; n += 1) {
      const from = random() * 2_000
      const to = from + random() * 100
      const plain = bars.filter((one) => one.row === n % 3 && one.end > from && one.start < to).map((one) => one.id)
      expect(model.between(n % 3, from, to).map((one) => one.id)).toEqual(plain)
    }
  })

  it('links the steps of an order in time', () => {
    const model = new Model(rows, [bar('o-20', 1, 10, 20, 'o'), bar('o-10', 0, 0, 10, 'o'), bar('p', 2, 0, 5)])
    expect(model.links('o').map(({ from, to }) => `${from.id} ${to.id}`)).toEqual(['o-10 o-20'])
    expect(model.span).toEqual({ from: 0, to: 20 })
  })
})

describe('the view of the board', () => {
  const view = () => Object.assign(new View(0, 10 * HOUR, 3, 1_000 + NAMES), { height: 400 })

  it('turns time into x and back', () => {
    const one = view()
    for (const at of [0, 1.5 * HOUR, 9 * HOUR]) expect(one.timeAt(one.x(at))).toBeCloseTo(at, 3)
  })

  it('keeps the time under the pointer when it zooms', () => {
    const one = view()
    const before = one.timeAt(500)
    one.zoom(1.7, 500)
    expect(one.timeAt(500)).toBeCloseTo(before, 3)
  })

  it('shows no row outside the rows', () => {
    const one = view()
    expect(one.rowAt(HEADER - 1)).toBe(-1)
    expect(one.rowAt(HEADER + 1)).toBe(0)
    expect(one.rowAt(HEADER + one.row_height * 3 + 1)).toBe(-1)
  })

  it('puts its grid lines far enough apart to be read', () => {
    const one = view()
    for (const factor of [1, 3, 3, 3, 0.01]) {
      one.zoom(factor, 500)
      expect(one.step_ms * one.px_per_ms).toBeGreaterThanOrEqual(76)
    }
  })
})

describe('the keyboard', () => {
  const model = new Model(rows, [bar('a1', 0, 0, 10), bar('a2', 0, 20, 30), bar('c1', 2, 18, 25)])
  it.each([
    ['a1', 'ArrowRight', 'a2'],
    ['a2', 'ArrowRight', 'a2'],
    ['a2', 'ArrowLeft', 'a1'],
    ['a2', 'ArrowDown', 'c1'],
    ['c1', 'ArrowUp', 'a2'],
    ['a1', 'End', 'a2'],
  ])('from %s by %s to %s', (from, key, to) => {
    expect(step(model, model.get(from) ?? null, key)?.id).toBe(to)
  })
  it('begins at the first bar', () => {
    expect(step(model, null, 'ArrowDown')?.id).toBe('a1')
  })
})

describe('a plan of the server', () => {
  const calendar: PlanEquipment['calendar'] = [
    { from: '2026-03-02T00:00:00Z', to: '2026-03-02T04:00:00Z', kind: 'work' },
    { from: '2026-03-02T04:10:00Z', to: '2026-03-02T08:00:00Z', kind: 'work' },
    { from: '2026-03-02T05:00:00Z', to: '2026-03-02T05:30:00Z', kind: 'stop' },
  ]
  const unit: PlanEquipment = { id: 'CNC-1', name: 'CNC 1', work_center: 'MC', calendar }
  const operation = {
    job_order: 'WO-000012-10', work_order: 'WO-000012', operation: 10, equipment: 'CNC-1', setup_start: '2026-03-02T00:59:00Z',
    start: '2026-03-02T01:00:00Z', end: '2026-03-02T02:00:00Z', setup_min: 1, material: 'PUMP-40', family: '40', late_min: 5,
    reason: { code: 'due', params: {} }, status: 'Running', locked: false, frozen: false, name: 'Machining',
  }

  it('shades breaks, the time after the calendar, and stops', () => {
    expect(shadesOf(unit).map((one) => one.kind)).toEqual(['closed', 'closed', 'stop'])
  })

  it('says of a unit how its time differs from that of the routing', () => {
    const slow = { ...unit, id: 'CNC-2', name: 'CNC 2', time_percent: 150 }
    const plan = { operations: [], equipment: [unit, slow] } as unknown as Plan
    const model = toModel(plan, WORDS)
    expect(model.rows.map((row) => row.name)).toEqual(['CNC 1', 'CNC 2 · 150 %'])
  })

  it('becomes bars with set-up, lateness and a short name', () => {
    const plan = { operations: [operation], equipment: [unit] } as unknown as Plan
    const model = toModel(plan, WORDS)
    expect(model.bars[0]).toMatchObject({ id: 'WO-000012-10', setup_ms: 60_000, late: true, status: 'running', short: '12·10' })
    expect(shortLabel(operation)).toBe('12·10')
  })

  it('tells what is kept for a customer from what is ordered', () => {
    const kept = { ...operation, job_order: 'PROMISE-95593C51-10', work_order: 'PROMISE-95593C51', status: 'Waiting' }
    const plan = { operations: [operation, kept], equipment: [unit] } as unknown as Plan
    const [ordered, promised] = toModel(plan, WORDS).bars
    expect([ordered?.kept, promised?.kept]).toEqual([false, true])
    expect(promised).toMatchObject({ label: 'Kept 95593C51·10 PUMP-40', short: '95593C51·10', tiny: '95593C51' })
  })
})
