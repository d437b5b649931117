import { describe, expect, it } from 'vitest'
import { deriveTraditional } from '../../plugins/traditional'
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
