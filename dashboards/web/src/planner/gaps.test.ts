import { describe, expect, it } from 'vitest'
import { byFault } from './gaps'

const fault = (what: string) => ({ row: '', what, remedy: '', code: '', params: {} })

describe('orders that the plan is without', () => {
  it('are one row for each thing that is to be mended, with all that wait for it', () => {
    const orders = [
      { work_order: 'WO-1', faults: [fault('no bench'), fault('no oven')] },
      { work_order: 'WO-2', faults: [fault('no bench'), fault('no bench')] },
    ]
    expect(byFault(orders, (one) => one.what, (order) => order)).toEqual(['no bench · WO-1, WO-2', 'no oven · WO-1'])
  })
})
