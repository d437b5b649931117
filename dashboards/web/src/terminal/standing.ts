import type { Refusal, TerminalSnapshot } from '@/api/types'

/**
 * Why nobody may act at a terminal in this browser now; null where the person it shows may. The one place of
 * that rule on this side: scans, buttons and the names in the heading ask here. What the person may reach from
 * there only the server knows (mes/access/reach.py).
 *
 * `receipt` is given where the person at the terminal signed on in this browser.
 */
export function turnedAway({ terminal, people }: TerminalSnapshot, receipt: string | null): Refusal | null {
  if (people.length === 0) return { error: 'NobodySignedOn', params: { terminal } }
  if (receipt === null) return { error: 'TerminalTakenOver', params: { terminal } }
  return null
}
