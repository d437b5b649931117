// Tells a scanner that types from a person who types, for the whole document: a scan must never
// depend on which field has the focus.

/** A key as the wedge sees it; `at` is the event's own time in milliseconds. */
export interface Stroke { key: string; at: number; composing?: boolean }

export interface WedgeOptions {
  /** Longest pause between two keys of one scan, ms (setting 20 to 80; Bluetooth is slower). */
  gap_ms?: number
  /** Shortest code that counts as a scan, keys. */
  least?: number
  /** A scan without a suffix ends after this silence, ms. */
  silence_ms?: number
  /** The same code again within this time is one scan, ms. */
  repeat_ms?: number
}

export type Verdict =
  | { kind: 'scan'; text: string }
  | { kind: 'repeat'; text: string }
  | { kind: 'input-method' }
  | null

const SUFFIXES = new Set(['Enter', 'Tab'])

export class Wedge {
  private readonly gap: number
  private readonly least: number
  private readonly silence: number
  private readonly repeat: number
  private keys: string[] = []
  private last = -Infinity
  private processed = 0
  private before = { text: '', at: -Infinity }

  constructor(options: WedgeOptions = {}) {
    this.gap = options.gap_ms ?? 35
    this.least = options.least ?? 4
    this.silence = options.silence_ms ?? 200
    this.repeat = options.repeat_ms ?? 1_500
  }

  /** Takes one key; says what ended with it. */
  stroke(stroke: Stroke): Verdict {
    const apart = stroke.at - this.last
    if (apart > this.gap) this.restart()
    this.last = stroke.at
    if (stroke.key === 'Process' || stroke.composing) {
      this.processed += 1
      return this.processed === this.least ? { kind: 'input-method' } : null
    }
    if (SUFFIXES.has(stroke.key)) return this.finish(stroke.at)
    if (stroke.key === 'GroupSeparator') this.keys.push('\u001d')
    else if ([...stroke.key].length === 1) this.keys.push(stroke.key)
    return null
  }

  /** Call when no key came for a while: ends a scan that has no suffix. */
  quiet(at: number): Verdict {
    return at - this.last >= this.silence ? this.finish(this.last) : null
  }

  /** True while a burst is under way that may be a scan. */
  get bursting(): boolean {
    return this.keys.length >= this.least
  }

  get silence_ms(): number {
    return this.silence
  }

  private finish(at: number): Verdict {
    const text = this.keys.join('')
    const long = this.keys.length >= this.least
    this.restart()
    if (!long) return null
    const repeated = text === this.before.text && at - this.before.at < this.repeat
    this.before = { text, at }
    return { kind: repeated ? 'repeat' : 'scan', text }
  }

  private restart(): void {
    this.keys = []
    this.processed = 0
  }
}

function isText(target: EventTarget | null): target is HTMLInputElement | HTMLTextAreaElement {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement
}

function keyOf(event: KeyboardEvent): string {
  // Readers in keyboard mode send Ctrl-] for the group separator.
  return event.ctrlKey && event.key === ']' ? 'GroupSeparator' : event.key
}

/** Listens to the whole document; returns the function that stops it. */
export function attachWedge(tell: (verdict: Exclude<Verdict, null>) => void, options?: WedgeOptions): () => void {
  const wedge = new Wedge(options)
  let timer: number | undefined
  let untouched: { field: HTMLInputElement | HTMLTextAreaElement; value: string } | null = null

  function takeBack(): void {
    if (untouched) untouched.field.value = untouched.value
    untouched?.field.dispatchEvent(new Event('input', { bubbles: true }))
    untouched = null
  }

  function settle(verdict: Verdict): void {
    if (verdict === null) return
    if (verdict.kind !== 'input-method') takeBack()
    tell(verdict)
  }

  function onKey(event: KeyboardEvent): void {
    if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== ']')) return
    const fresh = !wedge.bursting
    const wasBursting = wedge.bursting
    if (fresh && isText(event.target)) untouched ??= { field: event.target, value: event.target.value }
    const verdict = wedge.stroke({ key: keyOf(event), at: event.timeStamp, composing: event.isComposing })
    if (verdict !== null || (wasBursting && wedge.bursting)) {
      event.preventDefault()
      event.stopPropagation()
    }
    settle(verdict)
    clearTimeout(timer)
    timer = setTimeout(() => {
      settle(wedge.quiet(performance.now()))
      untouched = null
    }, wedge.silence_ms + 5) as unknown as number
  }

  document.addEventListener('keydown', onKey, { capture: true })
  return () => {
    clearTimeout(timer)
    document.removeEventListener('keydown', onKey, { capture: true })
  }
}
