const MINUTE = 60_000
const QUARTER = 15 * MINUTE
/** Minutes from where the plan has a job, or from now, to where a planner may want it. */
const STEPS = [-480, -240, -120, -60, -30, -15, 0, 15, 30, 60, 120, 240, 480, 1440, 2880]

/** The starts at which a job may be fixed: that of the plan, and earlier and later ones that are not over. */
export function startsFor(planned: string, now: number): string[] {
  const at = Math.max(Date.parse(planned), Math.ceil(now / QUARTER) * QUARTER)
  return STEPS.map((one) => at + one * MINUTE).filter((one) => one > now + MINUTE).map((one) => new Date(one).toISOString())
}

/** The one that is proposed: that of the plan, or the next one where it is over. */
export function proposedOf(starts: string[], planned: string): string {
  return starts.find((one) => Date.parse(one) >= Date.parse(planned)) ?? starts.at(-1) ?? ''
}
