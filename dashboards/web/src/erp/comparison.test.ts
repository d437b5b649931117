import { describe, expect, it } from 'vitest'
import { bySubject, type Difference } from './comparison'

const wip: Difference = { kind: 'value', work_order: 'WO-1', what: 'wip', mine: '120', theirs: '130', subject: 'event', why: '' }

describe('what the books differ on', () => {
  it('is put together by what it is about: one reason explains all of it', () => {
    const found = bySubject([wip, { ...wip, subject: 'stock.move,99', work_order: '' }, { ...wip, what: 'raw_material', why: 'price' }])
    expect(found.map((one) => [one.id, one.differences.map((row) => row.what), one.why])).toEqual([
      ['event', ['wip', 'raw_material'], 'price'],
      ['stock.move,99', ['wip'], ''],
    ])
  })

  it('names the record that only the ERP has', () => {
    const [event, record] = bySubject([wip, { ...wip, subject: 'account.move,7' }])
    expect(event?.record).toBeNull()
    expect(record?.record).toEqual({ model: 'account.move', number: '7' })
  })
})
