import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Plugin, Rolldown } from 'vite'

const TEMPLATE = fileURLToPath(new URL('../src/terminal/serviceworker.js', import.meta.url))

function reachable(bundle: Rolldown.OutputBundle, entry: string): string[] {
  const seen = new Set<string>()
  const queue = Object.values(bundle)
    .filter((file) => file.type === 'chunk' && file.isEntry && file.name === entry)
    .map((file) => file.fileName)
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    const file = bundle[name]
    if (file?.type !== 'chunk') continue
    queue.push(...file.imports, ...file.dynamicImports)
    queue.push(...((file as { viteMetadata?: { importedCss: Set<string> } }).viteMetadata?.importedCss ?? []))
  }
  return [...seen].sort()
}

/** Emits `sw.js`: the terminal's shell, every file it can ever load, under one version. */
export function serviceWorker(): Plugin {
  return {
    name: 'lineside-service-worker',
    apply: 'build',
    enforce: 'post',
    generateBundle(_options, bundle) {
      const files = ['/terminal.html', '/terminal.webmanifest', '/icon.svg']
      files.push(...reachable(bundle, 'terminal').map((name) => `/${name}`))
      const source = readFileSync(TEMPLATE, 'utf8')
      const version = createHash('sha256').update(source + files.join()).digest('hex').slice(0, 12)
      const text = source.replace('__VERSION__', version).replace("['__FILES__']", JSON.stringify(files))
      this.emitFile({ type: 'asset', fileName: 'sw.js', source: text })
    },
  }
}
