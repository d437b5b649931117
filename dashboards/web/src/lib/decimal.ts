// Sums of decimal strings without binary fractions: quantities of up to 9 decimal places.

const PLACES = 9
const SCALE = 10n ** BigInt(PLACES)

function scaled(text: string): bigint {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text.trim())
  if (!match) return 0n
  const [, sign, whole = '', part = '', power = '0'] = match
  const shift = PLACES - part.length + Number(power)
  const digits = BigInt(`${whole}${part}` || '0')
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift)
  return sign === '-' ? -value : value
}

function text(value: bigint): string {
  const positive = value < 0n ? -value : value
  const part = (positive % SCALE).toString().padStart(PLACES, '0').replace(/0+$/, '')
  return `${value < 0n ? '-' : ''}${positive / SCALE}${part ? `.${part}` : ''}`
}

export function add(...values: string[]): string {
  return text(values.reduce((sum, value) => sum + scaled(value), 0n))
}

export function subtract(value: string, less: string): string {
  return text(scaled(value) - scaled(less))
}

export function compare(one: string, other: string): number {
  const [a, b] = [scaled(one), scaled(other)]
  return a < b ? -1 : a > b ? 1 : 0
}

export function ratio(value: string, whole: string): number {
  const below = scaled(whole)
  return below === 0n ? 0 : Number((scaled(value) * 10_000n) / below) / 10_000
}
