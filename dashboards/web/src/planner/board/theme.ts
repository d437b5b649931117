// The canvas's colours, from the same tokens as everything else.

const NAMES = [
  'bg', 'surface', 'sunken', 'line', 'line-strong', 'ink', 'ink-2', 'ink-3', 'accent', 'bad', 'bad-soft', 'warn', 'run',
  'family-1', 'family-2', 'family-3', 'family-4',
] as const

export type Colours = Record<(typeof NAMES)[number], string> & { font: string }

/** Reads the tokens as the browser resolves them for `element`'s theme. */
export function readColours(element: HTMLElement): Colours {
  const probe = document.createElement('i')
  element.append(probe)
  const colours = Object.fromEntries(
    NAMES.map((name) => {
      probe.style.color = `var(--${name})`
      return [name, getComputedStyle(probe).color]
    }),
  )
  const font = getComputedStyle(element).fontFamily
  probe.remove()
  return { ...colours, font } as Colours
}

export function familyColour(colours: Colours, family: number): string {
  return [colours['family-1'], colours['family-2'], colours['family-3'], colours['family-4']][family % 4] ?? colours.accent
}
