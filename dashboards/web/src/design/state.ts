export type Tone = 'run' | 'warn' | 'bad' | 'idle'

const TONES: Record<string, Tone> = {
  Execute: 'run', Completing: 'run', Starting: 'run', Unholding: 'run', Unsuspending: 'run',
  Held: 'warn', Holding: 'warn', Suspended: 'warn', Suspending: 'warn',
  Aborted: 'bad', Aborting: 'bad', Clearing: 'bad',
}

/** The four meanings that a machine's state has on a screen (PackML state names). */
export function toneOf(state: string): Tone {
  return TONES[state] ?? 'idle'
}
