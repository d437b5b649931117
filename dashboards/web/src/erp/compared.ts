// Both books are compared every ten seconds while the ERP answers: what is older says nothing of now.

const STALE_MS = 120_000

export function isStale(compared_at: string | null, now: number): boolean {
  return compared_at !== null && now - Date.parse(compared_at) > STALE_MS
}
