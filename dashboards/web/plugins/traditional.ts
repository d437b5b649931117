import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

type Tree = { [key: string]: string | Tree }

const SOURCE = fileURLToPath(new URL('../src/i18n/zh-CN.json', import.meta.url))
const OVERRIDES = fileURLToPath(new URL('../src/i18n/zh-TW.override.json', import.meta.url))
const VIRTUAL = 'virtual:zh-TW'

function convertTree(tree: Tree, convert: (text: string) => string): Tree {
  const entries = Object.entries(tree).map(([key, value]) => [
    key,
    typeof value === 'string' ? convert(value) : convertTree(value, convert),
  ])
  return Object.fromEntries(entries)
}

function merge(base: Tree, over: Tree): Tree {
  const result: Tree = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = result[key]
    result[key] = typeof value === 'object' && typeof below === 'object' ? merge(below, value) : value
  }
  return result
}

/** Traditional Chinese (Taiwan wording), from zh-CN.json by OpenCC, with hand-written overrides. */
export function deriveTraditional(): Tree {
  const opencc = createRequire(import.meta.url)('opencc-js') as {
    Converter(options: { from: string; to: string }): (text: string) => string
  }
  const opened = opencc.Converter({ from: 'cn', to: 'twp' })
  // Taiwan writes accounts with the cloth radical.
  const convert = (text: string) => opened(text).replaceAll('賬', '帳')
  const source = JSON.parse(readFileSync(SOURCE, 'utf8')) as Tree
  return merge(convertTree(source, convert), JSON.parse(readFileSync(OVERRIDES, 'utf8')) as Tree)
}

/** Gives `import texts from 'virtual:zh-TW'`. */
export function traditionalChinese(): Plugin {
  return {
    name: 'lineside-traditional-chinese',
    resolveId: (id) => (id === VIRTUAL ? `\0${VIRTUAL}` : null),
    load(id) {
      if (id !== `\0${VIRTUAL}`) return null
      this.addWatchFile(SOURCE)
      this.addWatchFile(OVERRIDES)
      return `export default ${JSON.stringify(deriveTraditional())}`
    },
  }
}
