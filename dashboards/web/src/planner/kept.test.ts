import { describe, expect, it } from 'vitest'
import type { Plan } from '@/api/types'
import { asTold } from './kept'

const PROMISED = '2026-03-02T06:00:00Z'

function planOf(order: string, end: string, late_min: number): Plan {
  const breaks = late_min < 5 ? [] : [{ work_order: order, promised_at: PROMISED, told_at: '2026-03-02T10:00:00Z', end }]
  return { orders: [{ work_order: order, end, late_min }], operations: [{ work_order: order, late_min }], breaks } as unknown as Plan
}

function lateness(plan: Plan): number[] {
  return [...asTold(plan).orders, ...asTold(plan).operations].map((one) => one.late_min)
}

describe('a date that is kept for a customer', () => {
  it('is not late before what he was told', () => {
    expect(lateness(planOf('PROMISE-7', '2026-03-02T06:03:00Z', 3))).toEqual([0, 0])
    expect(lateness(planOf('PROMISE-7', '2026-03-02T09:00:00Z', 180))).toEqual([0, 0])
  })

  it('is late by all its minutes after that', () => {
    expect(lateness(planOf('PROMISE-7', '2026-03-02T11:00:00Z', 300))).toEqual([300, 300])
  })

  it('has nothing to do with when an order is due', () => {
    expect(lateness(planOf('WO-7', '2026-03-02T06:03:00Z', 3))).toEqual([3, 3])
  })
})
