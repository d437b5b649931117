import { describe, expect, it } from 'vitest'
import { proposedOf, startsFor } from './locks'

describe('the starts at which a job may be fixed', () => {
  const planned = '2026-03-02T06:30:00+00:00'

  it('are around that of the plan, and none is over', () => {
    const starts = startsFor(planned, Date.parse('2026-03-02T06:10:00Z'))
    expect(starts.slice(0, 3)).toEqual(['2026-03-02T06:15:00.000Z', '2026-03-02T06:30:00.000Z', '2026-03-02T06:45:00.000Z'])
    expect(proposedOf(starts, planned)).toBe('2026-03-02T06:30:00.000Z')
  })

  it('begin with the next one where that of the plan is over', () => {
    const starts = startsFor(planned, Date.parse('2026-03-02T06:50:00Z'))
    expect(proposedOf(starts, planned)).toBe('2026-03-02T07:00:00.000Z')
  })
})
