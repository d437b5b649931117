import { describe, expect, it } from 'vitest'
import { waitedMs, type Stamp } from './waiting'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** A tablet's clocks: real time goes on, the wall clock is off by `off`, and `tick` misses what was slept. */
function at(real: number, off: number, slept = 0, page = 1, contact: Stamp['contact'] = null): Stamp {
  return { moment: { wall: real + off, tick: real - slept, page }, contact }
}

function contact(real: number, off: number): Stamp['contact'] {
  return { server: real, at: { wall: real + off, tick: real, page: 1 } }
}

const DONE = HOUR
const SENT = 9 * HOUR
const AFTER = contact(SENT, 0)

describe('an act that waited for eight hours says so', () => {
  it.each([0, -3 * MINUTE, 40 * MINUTE, -20 * 365 * 24 * HOUR])('with a clock that is wrong by %i ms', (off) => {
    const heard = contact(SENT, off)
    expect(waitedMs(at(DONE, off, 0, 1, contact(0, off)), at(SENT, off, 0, 1, heard))).toBe(8 * HOUR)
    expect(waitedMs(at(DONE, off, 0, 1, contact(0, off)), at(SENT, off, 7 * HOUR, 1, heard))).toBe(8 * HOUR)
    expect(waitedMs(at(DONE, off, 0, 1, contact(0, off)), at(SENT, off, 0, 2, heard))).toBe(8 * HOUR)
  })

  it.each([-20 * MINUTE, 20 * MINUTE, -20 * 365 * 24 * HOUR])('when a clock that was wrong by %i ms was set when the network came back', (off) => {
    const done = at(DONE, off, 0, 1, contact(0, off))
    expect(waitedMs(done, at(SENT, 0, 0, 1, AFTER))).toBe(8 * HOUR)
    expect(waitedMs(done, at(SENT, 0, 6 * HOUR, 1, AFTER))).toBe(8 * HOUR)
    expect(waitedMs(done, at(SENT, 0, 0, 2, AFTER))).toBe(8 * HOUR)
  })

  it('when the clock was put forward without a network before the act', () => {
    expect(waitedMs(at(DONE, 0, 0, 1, contact(0, -20 * MINUTE)), at(SENT, 0, 0, 1, AFTER))).toBe(8 * HOUR)
  })

  it('when the server answered without a time, so that the wall clock alone counts', () => {
    const known = contact(DONE - MINUTE, 0)
    expect(waitedMs(at(DONE, 0, 0, 1, known), at(SENT, 0, 0, 2, known))).toBe(8 * HOUR)
    expect(waitedMs(at(DONE, 0, 0, 1, known), at(SENT, 0, 7 * HOUR, 1, known))).toBe(8 * HOUR)
  })

  it('at least as far as the page knows, when nothing else can be true', () => {
    const woke = -50 * 365 * 24 * HOUR
    expect(waitedMs(at(DONE, woke, 0, 1, contact(0, 0)), at(SENT, 0, 0, 1, AFTER))).toBe(8 * HOUR)
    expect(waitedMs(at(DONE, 12 * HOUR), at(SENT, 0))).toBe(8 * HOUR)
  })
})

it('an act has never waited for less than nothing', () => {
  expect(waitedMs(at(DONE, HOUR), at(DONE + 1, 0, 0, 2))).toBe(0)
})
