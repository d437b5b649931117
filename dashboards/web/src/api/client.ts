import createClient from 'openapi-fetch'
import type { Refusal } from './types'
import type { paths } from './schema'

/** A refusal by the server: `code` is translated by the pages, `params` fill the sentence. */
export class ServerRefusal extends Error {
  readonly status: number
  readonly refusal: Refusal

  constructor(status: number, refusal: Refusal) {
    super(refusal.error)
    this.status = status
    this.refusal = refusal
  }
}

/** The server did not answer at all, a gateway answered for it, or it could not do it now: then it says why. */
export class Unreachable extends Error {
  refusal: Refusal | null = null
}

/** What to tell a person of a call that failed. */
export function whyNot(error: unknown): Refusal {
  const known = error instanceof ServerRefusal || error instanceof Unreachable ? error.refusal : null
  return known ?? { error: 'NoNetwork' }
}

export const client = createClient<paths>({ baseUrl: '', credentials: 'same-origin' })

/** What the typed client makes of an answer; `T` is what the description says of a good one. */
interface Answer<T> { data?: T; error?: unknown; response: Response }

function coded(error: unknown): Refusal | null {
  return typeof error === 'object' && error !== null && 'error' in error ? (error as Refusal) : null
}

function refusalOf(error: unknown, status: number): Refusal {
  const known = coded(error)
  if (known) return known
  if (typeof error === 'object' && error !== null && 'detail' in error) {
    return { error: status === 422 ? 'InvalidRequest' : 'Refused', params: { status } }
  }
  return { error: status === 401 ? 'SignInNeeded' : 'Refused', params: { status } }
}

function toSignIn(): void {
  const here = location.pathname + location.search
  if (!location.pathname.startsWith('/sign-in')) {
    location.assign(`/sign-in?next=${encodeURIComponent(here)}`)
  }
}

/**
 * Unwraps one answer of the typed client.
 *
 * Throws `ServerRefusal` for a 4xx with its code, `Unreachable` for everything that a retry may
 * cure. A 401 leads to the sign-in page, unless `stay` is set.
 */
export async function answer<T>(call: Promise<Answer<T>>, options: { stay?: boolean } = {}): Promise<T> {
  let result: Answer<T>
  try {
    result = await call
  } catch (cause) {
    throw new Unreachable('no answer', { cause })
  }
  const { response, data, error } = result
  if (response.ok) return data as T
  if (response.status >= 500) {
    const unable = new Unreachable(`status ${response.status}`)
    unable.refusal = coded(error)
    throw unable
  }
  if (response.status === 401 && !options.stay) toSignIn()
  throw new ServerRefusal(response.status, refusalOf(error, response.status))
}

/** A key made on the device, one for each act of a person: repeats of it count once. */
export function newKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
