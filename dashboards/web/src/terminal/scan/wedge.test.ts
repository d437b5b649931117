import { describe, expect, it } from 'vitest'
import { Wedge, type Verdict } from './wedge'

function type(wedge: Wedge, text: string, gap: number, from = 1_000): { verdicts: Verdict[]; at: number } {
  let at = from
  const verdicts: Verdict[] = []
  for (const key of text) {
    verdicts.push(wedge.stroke({ key, at }))
    at += gap
  }
  return { verdicts, at: at - gap }
}

describe('a keyboard wedge', () => {
  it('takes a burst that ends with Enter for a scan', () => {
    const wedge = new Wedge()
    const { at } = type(wedge, 'WO:WO-000001', 8)
    expect(wedge.stroke({ key: 'Enter', at: at + 8 })).toEqual({ kind: 'scan', text: 'WO:WO-000001' })
  })

  it('takes a burst without a suffix for a scan after a silence', () => {
    const wedge = new Wedge()
    const { at } = type(wedge, 'LOT:LOT-1', 10)
    expect(wedge.quiet(at + 150)).toBeNull()
    expect(wedge.quiet(at + 200)).toEqual({ kind: 'scan', text: 'LOT:LOT-1' })
  })

  it('does not take slow typing for a scan', () => {
    const wedge = new Wedge()
    const { at } = type(wedge, 'LOT:LOT-1', 120)
    expect(wedge.stroke({ key: 'Enter', at: at + 120 })).toBeNull()
  })

  it('forgets what was typed slowly before a scan', () => {
    const wedge = new Wedge()
    const { at } = type(wedge, 'abc', 200)
    const scan = type(wedge, 'EMP:E-1001', 9, at + 400)
    expect(wedge.stroke({ key: 'Enter', at: scan.at + 9 })).toEqual({ kind: 'scan', text: 'EMP:E-1001' })
  })

  it('knows the same code twice in a moment as one scan', () => {
    const wedge = new Wedge()
    const first = type(wedge, 'CMD:GOOD', 8)
    wedge.stroke({ key: 'Enter', at: first.at + 8 })
    const second = type(wedge, 'CMD:GOOD', 8, first.at + 500)
    expect(wedge.stroke({ key: 'Enter', at: second.at + 8 })).toEqual({ kind: 'repeat', text: 'CMD:GOOD' })
    const third = type(wedge, 'CMD:GOOD', 8, second.at + 5_000)
    expect(wedge.stroke({ key: 'Enter', at: third.at + 8 })).toEqual({ kind: 'scan', text: 'CMD:GOOD' })
  })

  it('reports an input method that swallows a scan', () => {
    const wedge = new Wedge()
    const verdicts = [0, 8, 16, 24].map((at) => wedge.stroke({ key: 'Process', at: 1_000 + at }))
    expect(verdicts).toEqual([null, null, null, { kind: 'input-method' }])
  })

  it('leaves Shift and other dead keys out of the code', () => {
    const wedge = new Wedge()
    for (const [index, key] of ['Shift', 'W', 'Shift', 'O', ':', '1'].entries()) {
      wedge.stroke({ key, at: 1_000 + index * 5 })
    }
    expect(wedge.stroke({ key: 'Enter', at: 1_035 })).toEqual({ kind: 'scan', text: 'WO:1' })
  })
})
