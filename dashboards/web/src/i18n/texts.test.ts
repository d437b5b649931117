import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { deriveTraditional, partOf } from '../../plugins/texts'
import en from './en.json'
import simplified from './zh-CN.json'
import overrides from './zh-TW.override.json'
import { languageOf } from './index'

type Tree = { [key: string]: string | Tree }

function keys(tree: Tree, path = ''): string[] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [`${path}${key}`] : keys(value, `${path}${key}.`),
  )
}

describe('the three languages', () => {
  it('have the same keys', () => {
    expect(keys(simplified)).toEqual(keys(en))
    expect(keys(deriveTraditional()).sort()).toEqual(keys(en).sort())
  })

  it('override only texts that exist', () => {
    const known = new Set(keys(en))
    expect(keys(overrides).filter((key) => !known.has(key))).toEqual([])
  })

  it('are written in their own characters', () => {
    const texts = JSON.stringify(deriveTraditional())
    expect(texts).toContain('資料庫')
    expect(texts).not.toMatch(/[终设报]/)
    expect(texts).toContain('品質')
    expect(texts).not.toMatch(/裝置|質量|計劃|釋出|機臺|賬|工位/)
  })

  it.each([
    [['zh-HK', 'en'], 'zh-TW'],
    [['zh-Hant-TW'], 'zh-TW'],
    [['zh'], 'zh-CN'],
    [['fr', 'zh-CN'], 'zh-CN'],
    [['de-DE'], 'en'],
    [[], 'en'],
  ])('are chosen by the wishes of the browser: %s', (wishes, language) => {
    expect(languageOf(wishes)).toBe(language)
  })
})

describe('the words of a terminal', () => {
  const SHARED = ['design/LsChoices.vue', 'design/LsDialog.vue', 'design/LsRefusal.vue', 'design/LsState.vue', 'lib/format.ts']
  const here = (path: string) => new URL(`../${path}`, import.meta.url)
  const terminal = partOf(en, 'terminal')
  const sources = readdirSync(here('terminal'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(vue|ts)$/.test(name) && !name.endsWith('.test.ts'))
    .map((name) => `terminal/${name}`)
  const source = [...sources, ...SHARED].map((path) => readFileSync(here(path), 'utf8')).join('\n')

  it('are all that its sources say', () => {
    const said = [...source.matchAll(/\bt\('([\w.-]+)'/g)].map((match) => match[1] ?? '')
    expect(said.length).toBeGreaterThan(60)
    expect(said.filter((key) => !keys(terminal).includes(key))).toEqual([])
  })

  it('name all codes that it shows', () => {
    const groups = [...source.matchAll(/\b(?:word|coded)\('(\w+)'|group="(\w+)"/g)].map((match) => match[1] ?? match[2] ?? '')
    expect(groups.filter((group) => !(group in terminal))).toEqual([])
    const refused = [...source.matchAll(/(?:refused\('|error: '|ScanRefused\(')(\w+)/g)].map((match) => match[1] ?? '')
    expect(refused.filter((code) => !(code in (terminal.errors as Tree)))).toEqual([])
  })

  it('and those of a desk are all there are', () => {
    const both = [...keys(terminal), ...keys(partOf(en, 'desk'))]
    expect(both.sort()).toEqual(keys(en).sort())
  })
})
