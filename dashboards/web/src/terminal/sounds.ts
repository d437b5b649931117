// Short tones that are told apart in noise: done, refused, "that one was counted already", and a call for help.

type Tone = 'ok' | 'refused' | 'repeat' | 'call'

const NOTES: Record<Tone, { hertz: number; at: number; length: number }[]> = {
  ok: [{ hertz: 880, at: 0, length: 0.08 }],
  refused: [{ hertz: 220, at: 0, length: 0.16 }, { hertz: 220, at: 0.22, length: 0.16 }],
  repeat: [{ hertz: 660, at: 0, length: 0.06 }, { hertz: 440, at: 0.09, length: 0.06 }],
  call: [0, 0.5, 1].flatMap((at) => [{ hertz: 740, at, length: 0.18 }, { hertz: 988, at: at + 0.2, length: 0.22 }]),
}
const SHAKES: Record<Tone, number[]> = { ok: [40], refused: [120, 60, 120], repeat: [40, 40, 40], call: [200, 100, 200] }

let context: AudioContext | null = null

/** Browsers let a page sound only after a touch or a key: call it from one. */
export function wakeSound(): void {
  context ??= new AudioContext()
  if (context.state === 'suspended') void context.resume()
}

export function sound(tone: Tone): void {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(SHAKES[tone])
  if (!context || context.state !== 'running') return
  for (const note of NOTES[tone]) {
    const oscillator = context.createOscillator()
    const gain = context.createGain()
    gain.gain.value = 0.15
    oscillator.frequency.value = note.hertz
    oscillator.connect(gain).connect(context.destination)
    oscillator.start(context.currentTime + note.at)
    oscillator.stop(context.currentTime + note.at + note.length)
  }
}
