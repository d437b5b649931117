import rows from './identifiers.json'

// What a scanned code means. The same grammar as the server's `mes.identification`; both run
// tests/vectors/scans.json. Sources: ISO/IEC 15424, GS1 General Specifications, GS1 Digital Link
// URI Syntax 1.2, ISO/IEC 15434, ANSI MH10.8.2.

const GS = '\u001d'
const RS = '\u001e'
const EOT = '\u0004'
const HEADER = '[)>'

export const COMMANDS = [
  'START', 'HOLD', 'RESUME', 'COMPLETE', 'GOOD', 'SCRAP', 'UNDO', 'STOP', 'HELP', 'CONFIRM', 'CANCEL', 'SIGN-OFF',
] as const
export type Command = (typeof COMMANDS)[number]

export type ScanForm = 'own' | 'gtin' | 'gs1' | 'digital_link' | 'iso15434'
export interface Scan { form: ScanForm; symbology: string | null; fields: Record<string, string> }

/** This code cannot be used; `code` and `params` say why. */
export class ScanRefused extends Error {
  readonly code: string
  readonly params: Record<string, string>

  constructor(code: string, params: Record<string, string> = {}) {
    super(code)
    this.code = code
    this.params = params
  }
}

// --- our own labels

const PREFIXES: Record<string, string> = {
  WO: 'work_order', OP: 'job_order', LOT: 'lot', SN: 'serial',
  EMP: 'person', LOC: 'location', TOOL: 'tool', CMD: 'command',
}

const ANOTHER_LABEL = new RegExp(`(?:${Object.keys(PREFIXES).join('|')}):`, 'i')
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u

/** A lot is called as the ERP calls it, in characters that can be seen. */
function namesALot(code: string): boolean {
  return /^(?! ).{1,60}(?<! )$/su.test(code) && !UNSEEN.test(code) && !ANOTHER_LABEL.test(code)
}

function readLabel(text: string, symbology: string | null): Scan | null {
  const match = /^([A-Za-z]{2,4}):(.*)$/s.exec(text)
  const prefix = match?.[1]?.toUpperCase() ?? ''
  const field = PREFIXES[prefix]
  if (!match || !field) return null
  const value = match[2] ?? ''
  const code = prefix === 'LOT' ? value : value.toUpperCase()
  if (!(prefix === 'LOT' ? namesALot(code) : /^[A-Z0-9][A-Z0-9._/-]{0,39}$/.test(code))) throw new ScanRefused('LabelMalformed', { prefix, value: code })
  if (prefix === 'CMD' && !(COMMANDS as readonly string[]).includes(code)) {
    throw new ScanRefused('CommandUnknown', { command: code })
  }
  return { form: 'own', symbology, fields: { [field]: code } }
}

// --- GS1

interface Identifier { value: RegExp; separated: boolean }
interface Element { identifier: string; value: string }

const IDENTIFIERS = new Map<string, Identifier>()
for (const [pattern, separator, codes] of rows as [string, number, string][]) {
  const rule = { value: new RegExp(`^${pattern}`), separated: separator === 1 }
  for (const code of codes.split(' ')) IDENTIFIERS.set(code, rule)
}

const MESSAGE_SYMBOLOGIES = new Set([']C1', ']e0', ']d2', ']Q3', ']J1'])
const ITEM_DIGITS: Record<string, number> = { ']E0': 13, ']E4': 8, ']I1': 14 }
const GS1_FIELDS: Record<string, string> = {
  '00': 'sscc', '01': 'gtin', '02': 'content_gtin', '10': 'lot', '11': 'produced_on', '13': 'packed_on',
  '15': 'best_before', '17': 'expires_on', '21': 'serial', '30': 'quantity', '37': 'quantity',
  '241': 'material', '400': 'order',
}
const CHECKED = new Set(['00', '01', '02'])
const DATES = new Set(['11', '12', '13', '15', '16', '17'])

function checkDigitRight(digits: string): boolean {
  const body = [...digits.slice(0, -1)].reverse()
  const sum = body.reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 3 : 1), 0)
  return (10 - (sum % 10)) % 10 === Number(digits.at(-1))
}

function isoDate(yymmdd: string): string | null {
  const now = new Date().getFullYear()
  const short = Number(yymmdd.slice(0, 2))
  const apart = short - (now % 100)
  const century = now - (now % 100) + (apart >= 51 ? -100 : apart <= -50 ? 100 : 0)
  const [year, month, day] = [century + short, Number(yymmdd.slice(2, 4)), Number(yymmdd.slice(4))]
  if (month < 1 || month > 12) return null
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate()
  if (day > last) return null
  return `${year}-${yymmdd.slice(2, 4)}-${String(day || last).padStart(2, '0')}`
}

function matchElement(text: string): { element: Element; rule: Identifier } | null {
  for (const length of [2, 3, 4]) {
    const identifier = text.slice(0, length)
    const rule = IDENTIFIERS.get(identifier)
    const match = rule?.value.exec(text.slice(length))
    if (!rule || !match) continue
    const value = match.slice(1).filter((group) => group !== undefined).join('')
    if (!value || (DATES.has(identifier) && isoDate(value) === null)) return null
    return { element: { identifier, value }, rule }
  }
  return null
}

function refuseElement(chunk: string): never {
  if (DATES.has(chunk.slice(0, 2)) && /^\d{8}/.test(chunk)) {
    throw new ScanRefused('DateImpossible', { identifier: chunk.slice(0, 2), value: chunk.slice(2, 8) })
  }
  throw new ScanRefused('Gs1Malformed', { at: chunk })
}

function readElements(message: string): { element: Element; rule: Identifier }[] {
  const found: { element: Element; rule: Identifier }[] = []
  let rest = message.replace(/^\u001d+/, '')
  while (rest) {
    const chunk = rest.split(GS, 1)[0] ?? ''
    const one = matchElement(chunk) ?? refuseElement(chunk)
    const { identifier, value } = one.element
    const before = found.find((other) => other.element.identifier === identifier)
    if (before && before.element.value !== value) throw new ScanRefused('Gs1Malformed', { at: identifier + value })
    found.push(one)
    rest = rest.slice(identifier.length + value.length)
    if (one.rule.separated && rest && !rest.startsWith(GS)) refuseUnseparated(identifier, chunk, rest)
    rest = rest.replace(/^\u001d+/, '')
  }
  return found
}

function refuseUnseparated(identifier: string, chunk: string, rest: string): never {
  if (/^[!-"%-?A-Z_a-z]/.test(rest)) {
    throw new ScanRefused('SeparatorLost', { identifier, value: chunk.slice(identifier.length) })
  }
  throw new ScanRefused('Gs1Malformed', { at: rest.split(GS, 1)[0] ?? '' })
}

function isTail(text: string, present: Set<string>): boolean {
  let rest = text
  while (rest) {
    const match = /^(?:(00)(\d{18})|(0[12])(\d{14})|(1[1-3567])(\d{6}))/.exec(rest)
    if (!match) return false
    const [identifier = '', digits = ''] = match.slice(1).filter((group) => group !== undefined)
    const sound = CHECKED.has(identifier) ? checkDigitRight(digits) : isoDate(digits) !== null
    if (present.has(identifier) || !sound) return false
    rest = rest.slice(match[0].length)
  }
  return true
}

function refuseSwallowed(found: { element: Element; rule: Identifier }[]): void {
  const present = new Set(found.map((one) => one.element.identifier))
  for (const { element, rule } of found) {
    if (!rule.separated) continue
    for (let start = 1; start < element.value.length - 7; start += 1) {
      if (isTail(element.value.slice(start), present)) throw new ScanRefused('SeparatorLost', { ...element })
    }
  }
}

function gs1Fields(elements: Element[]): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const { identifier, value } of elements) {
    if (CHECKED.has(identifier) && !checkDigitRight(value)) {
      throw new ScanRefused('CheckDigitWrong', { identifier, value })
    }
    const name = GS1_FIELDS[identifier]
    if (identifier.startsWith('310')) {
      const whole = value.length - Number(identifier[3])
      const [units, decimals] = [String(Number(value.slice(0, whole))), value.slice(whole)]
      Object.assign(fields, { quantity: decimals ? `${units}.${decimals}` : units, uom: 'kg' })
    } else if (name && DATES.has(identifier)) fields[name] = isoDate(value) ?? value
    else if (name) fields[name] = name === 'quantity' ? String(Number(value)) : value
  }
  return fields
}

function readItem(digits: string, symbology: string): Scan {
  const rightLength = digits.length === ITEM_DIGITS[symbology]
  if (!rightLength || !/^\d+$/.test(digits) || !checkDigitRight(digits)) {
    throw new ScanRefused('CheckDigitWrong', { identifier: 'gtin', value: digits })
  }
  return { form: 'gtin', symbology, fields: { gtin: digits.padStart(14, '0') } }
}

function readMessage(message: string, symbology: string | null): Scan {
  const found = readElements(message)
  if (!message.includes(GS)) refuseSwallowed(found)
  return { form: 'gs1', symbology, fields: gs1Fields(found.map((one) => one.element)) }
}

// --- GS1 Digital Link

const QUALIFIERS: Record<string, string[]> = {
  '00': [], '01': ['22', '10', '21'], '253': [], '255': [], '401': [], '402': [], '414': ['254', '7040'],
  '417': ['7040'], '8003': [], '8004': ['7040'], '8006': ['22', '10', '21'], '8010': ['8011'], '8013': [],
  '8017': ['8019'], '8018': ['8019'],
}

function wholeElement(identifier: string, value: string): Element | null {
  const one = matchElement(identifier + value)
  return one && one.element.identifier === identifier && one.element.value === value ? one.element : null
}

function linkElements(uri: string): (Element | null)[] {
  const url = new URL(uri)
  const parts = url.pathname.split('/')
  while (parts.length && QUALIFIERS[parts[0] ?? ''] === undefined) parts.shift()
  if (!parts.length || parts.length % 2 !== 0) return [null]
  const [primary = '', first = '', ...others] = parts.map(decodeURIComponent)
  const expected = [...(QUALIFIERS[primary] ?? [])]
  const elements = [wholeElement(primary, primary === '01' ? first.padStart(14, '0') : first)]
  for (let at = 0; at < others.length; at += 2) {
    const place = expected.indexOf(others[at] ?? '')
    if (place < 0) return [null]
    expected.splice(0, place + 1)
    elements.push(wholeElement(others[at] ?? '', others[at + 1] ?? ''))
  }
  for (const [key, value] of url.searchParams) if (IDENTIFIERS.has(key)) elements.push(wholeElement(key, value))
  return elements
}

function readLink(uri: string, symbology: string | null): Scan {
  let elements: (Element | null)[]
  try {
    elements = linkElements(uri)
  } catch {
    elements = [null]
  }
  const sound = elements.filter((element) => element !== null)
  if (sound.length !== elements.length) throw new ScanRefused('BarcodeUnknown', { scan: uri })
  return { form: 'digital_link', symbology, fields: gs1Fields(sound) }
}

// --- ISO/IEC 15434

const DATA_FIELDS: Record<string, string> = {
  P: 'material', '1P': 'supplier_material', Q: 'quantity', '7Q': 'quantity', '1T': 'lot', S: 'serial',
  '4S': 'serial', V: 'supplier', '12V': 'supplier', K: 'order', '4K': 'order_line', '4L': 'country',
  '14D': 'expires_on', '16D': 'produced_on', J: 'licence_plate', '1J': 'licence_plate',
  '2J': 'licence_plate', '3J': 'licence_plate', '4J': 'licence_plate', '5J': 'licence_plate', '6J': 'licence_plate',
}

function longDate(identifier: string, value: string): string {
  const match = /^(\d{4})(\d\d)(\d\d)$/.exec(value)
  const text = match ? `${match[1]}-${match[2]}-${match[3]}` : ''
  const date = new Date(`${text}T00:00:00Z`)
  if (!text || Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== text) {
    throw new ScanRefused('DateImpossible', { identifier, value })
  }
  return text
}

function dataField(part: string): Record<string, string> {
  const match = /^(\d{0,3}[A-Z])(.+)$/s.exec(part)
  if (!match) throw new ScanRefused('EnvelopeMalformed', { at: part })
  const [, identifier = '', value = ''] = match
  const name = DATA_FIELDS[identifier]
  if (!name) return {}
  if (name === 'quantity') {
    const quantity = /^(\d+(?:\.\d+)?)([A-Z]{0,3})$/.exec(value)
    if (!quantity) throw new ScanRefused('EnvelopeMalformed', { at: part })
    return quantity[2] ? { quantity: quantity[1] ?? '', uom: quantity[2] } : { quantity: quantity[1] ?? '' }
  }
  return { [name]: identifier === '14D' || identifier === '16D' ? longDate(identifier, value) : value }
}

function trim(text: string, character: string): string {
  let [start, end] = [0, text.length]
  while (start < end && text[start] === character) start += 1
  while (end > start && text[end - 1] === character) end -= 1
  return text.slice(start, end)
}

function readEnvelope(text: string, symbology: string | null): Scan {
  const fields: Record<string, string> = {}
  let body = text.slice(HEADER.length)
  while (body.endsWith(EOT)) body = body.slice(0, -1)
  for (const part of trim(body, RS).split(RS)) {
    const match = /^(\d\d)\u001d(.*)$/s.exec(part)
    if (!match) throw new ScanRefused('EnvelopeMalformed', { at: part })
    const [, format = '', content = ''] = match
    if (format === '05') Object.assign(fields, readMessage(content, symbology).fields)
    else if (format === '06') {
      for (const field of content.split(GS).filter(Boolean)) Object.assign(fields, dataField(field))
    } else throw new ScanRefused('EnvelopeNotSupported', { format })
  }
  return { form: 'iso15434', symbology, fields }
}

// --- one door

const LOOKS_LIKE_GS1 =
  /^(?:[0-9]{8}|[0-9]{12,14}|0[12][0-9]{14}.*|00[0-9]{18}.*|[0-9]{2,}.*\u001d.*)$/s

function strip(text: string): string {
  return text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '')
}

/** No grammar has a place for another control character; each refuses these where it has none. */
function refuseControls(text: string): void {
  for (const character of text) {
    if (!/\p{Cc}/u.test(character) || character === GS || character === RS || character === EOT) continue
    const point = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
    throw new ScanRefused('ControlCharacter', { character: `U+${point}` })
  }
}

/**
 * Says what a scanned code means.
 *
 * `raw` is what the reader sent without its own prefix and suffix; `gs` is what it sends for the
 * group separator. Throws `ScanRefused`.
 */
export function parseScan(raw: string, gs: string = GS): Scan {
  let text = strip(raw.replaceAll(gs, GS).normalize('NFKC'))
  const symbology = /^\][A-Za-z][0-9A-Za-z]/.exec(text)?.[0] ?? null
  if (symbology) text = strip(text.slice(symbology.length))
  if (!text) throw new ScanRefused('ScanEmpty')
  refuseControls(text)
  if (symbology && symbology in ITEM_DIGITS) return readItem(text, symbology)
  if (text.startsWith(HEADER)) return readEnvelope(text, symbology)
  if (/^https?:\/\//i.test(text)) return readLink(text, symbology)
  if (symbology && MESSAGE_SYMBOLOGIES.has(symbology)) return readMessage(text, symbology)
  const label = readLabel(text, symbology)
  if (label) return label
  throw new ScanRefused(LOOKS_LIKE_GS1.test(text) ? 'SymbologyMissing' : 'BarcodeUnknown', { scan: text })
}
