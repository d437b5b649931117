import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { COMMANDS, parseScan, ScanRefused } from './grammar'

interface Case {
  id: string
  scan: string
  gs?: string
  form?: string
  symbology?: string | null
  fields?: Record<string, string>
  error?: string
  params?: Record<string, string>
}

const vectors = JSON.parse(
  readFileSync(new URL('../../../../../tests/vectors/scans.json', import.meta.url), 'utf8'),
) as { commands: string[]; cases: Case[] }

function outcome(vector: Case): unknown {
  try {
    return parseScan(vector.scan, vector.gs)
  } catch (error) {
    if (error instanceof ScanRefused) return { error: error.code, params: error.params }
    throw error
  }
}

describe('the scan grammar agrees with the server on', () => {
  it.each(vectors.cases)('$id', (vector) => {
    const { error, params, form, symbology, fields } = vector
    expect(outcome(vector)).toEqual(error ? { error, params } : { form, symbology, fields })
  })

  it('the commands of the sheet', () => {
    expect(COMMANDS).toEqual(vectors.commands)
  })
})
