import { onScopeDispose, readonly, ref } from 'vue'
import type { Change } from './types'

// One EventSource for the whole browser: HTTP/1.1 allows six connections to a host, and a page
// that holds one per tab makes the seventh tab hang. The tab that owns the lock listens and
// relays; when it closes, the next one takes over.

const CHANNEL = 'lineside-live'
const SHOW_OFFLINE_AFTER_MS = 3_000
const SILENCE_MS = 12_000

type Listener = (change: Change) => void
type Relay =
  | { kind: 'change'; change: Change }
  | { kind: 'beat' }
  | { kind: 'reset' }
  | { kind: 'down' }
  | { kind: 'hello' }

const online = ref(true)
const connected = ref(false)
const listeners = new Set<Listener>()
const reconnects = new Set<() => void>()
let channel: BroadcastChannel | null = null
let offlineTimer: number | undefined
let silenceTimer: number | undefined
let started = false

function heard(): void {
  clearTimeout(offlineTimer)
  offlineTimer = undefined
  clearTimeout(silenceTimer)
  silenceTimer = setTimeout(lost, SILENCE_MS) as unknown as number
  const back = !connected.value
  connected.value = true
  online.value = true
  if (back) for (const again of reconnects) again()
}

function lost(): void {
  connected.value = false
  offlineTimer ??= setTimeout(() => {
    online.value = false
  }, SHOW_OFFLINE_AFTER_MS) as unknown as number
}

function take(message: Relay): void {
  if (message.kind === 'down') return lost()
  if (message.kind === 'hello') return
  if (message.kind === 'reset') connected.value = false
  heard()
  if (message.kind === 'change') for (const listener of listeners) listener(message.change)
}

function publish(message: Relay): void {
  channel?.postMessage(message)
  take(message)
}

function listenAtServer(): void {
  const source = new EventSource('/api/v1/live')
  source.addEventListener('open', () => publish({ kind: 'beat' }))
  source.addEventListener('beat', () => publish({ kind: 'beat' }))
  source.addEventListener('reset', () => publish({ kind: 'reset' }))
  source.addEventListener('change', (event) => {
    publish({ kind: 'change', change: JSON.parse((event as MessageEvent<string>).data) as Change })
  })
  source.addEventListener('error', () => {
    publish({ kind: 'down' })
    if (source.readyState !== EventSource.CLOSED) return
    source.close()
    setTimeout(listenAtServer, 2_000)
  })
  channel?.addEventListener('message', (event: MessageEvent<Relay>) => {
    if (event.data.kind === 'hello' && connected.value) channel?.postMessage({ kind: 'beat' })
  })
}

/** Starts the one connection; safe to call from every page and component. */
export function startLive(): void {
  if (started) return
  started = true
  channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(CHANNEL)
  channel?.addEventListener('message', (event: MessageEvent<Relay>) => take(event.data))
  channel?.postMessage({ kind: 'hello' })
  lost()
  const locks = (navigator as Partial<Navigator>).locks
  if (!locks) return listenAtServer()
  void locks.request(CHANNEL, () => {
    listenAtServer()
    return new Promise<never>(() => undefined)
  })
}

/** False once the server has been silent for three seconds. */
export const isOnline = readonly(online)

export function onChange(listener: Listener): void {
  listeners.add(listener)
  onScopeDispose(() => listeners.delete(listener))
}

/** Called each time the connection is there again, or had more than it could carry: what was missed must be fetched. */
export function onReconnect(again: () => void): void {
  reconnects.add(again)
  onScopeDispose(() => reconnects.delete(again))
}
