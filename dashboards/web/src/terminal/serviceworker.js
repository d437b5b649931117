// Keeps the terminal's shell on the device, so that it opens without a network.
// Commands are not kept here: they wait in the outbox (IndexedDB), which the page itself sends.
const VERSION = 'lineside-terminal-__VERSION__'
const FILES = ['__FILES__']

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches.open(VERSION).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()),
  )
})

// The cache before this one stays: a page that is still open may yet load a language from it.
self.addEventListener('activate', (event) => {
  const tidy = caches.keys().then((names) => {
    const ours = names.filter((name) => name.startsWith('lineside-terminal-') && name !== VERSION)
    return Promise.all(ours.slice(0, -1).map((name) => caches.delete(name)))
  })
  event.waitUntil(tidy.then(() => self.clients.claim()))
})

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || url.origin !== self.location.origin) return
  if (event.request.mode === 'navigate' && url.pathname.startsWith('/terminal/')) {
    event.respondWith(caches.match('/terminal.html').then((shell) => shell ?? fetch(event.request)))
    return
  }
  if (FILES.includes(url.pathname)) {
    event.respondWith(caches.match(url.pathname).then((file) => file ?? fetch(event.request)))
  }
})
