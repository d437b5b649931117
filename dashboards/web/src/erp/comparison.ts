import type { Decimal, Time } from '@/api/types'

// The newest comparison of both books, as the server keeps it.

export interface Difference {
  kind: 'quantity' | 'value'
  work_order: string
  what: string
  mine: Decimal
  theirs: Decimal
  subject: string
  why: string
}

export interface Explained {
  subject: string
  kind: 'quantity' | 'value'
  what: string
  work_order: string
  amount: Decimal
  reason: string
  actor: string
  at: Time
}

/** `at` is null before the first comparison. */
export interface Comparison {
  at: Time | null
  currency?: string
  cases: Difference[]
  explained?: Explained[]
}

/** All that differs about one event, or about one record of the ERP's: it has one reason. */
export interface Subject {
  id: string
  work_order: string
  why: string
  /** The ERP's own record, where no document of the plant made it. */
  record: { model: string; number: string } | null
  differences: Difference[]
}

export function bySubject(cases: Difference[]): Subject[] {
  const found = new Map<string, Subject>()
  for (const one of cases) {
    const [, model = '', number = ''] = /^([\w.]+),(\d+)$/.exec(one.subject) ?? []
    const subject = found.get(one.subject) ?? {
      id: one.subject, work_order: one.work_order, why: '', record: model ? { model, number } : null, differences: [],
    }
    subject.differences.push(one)
    subject.why ||= one.why
    found.set(one.subject, subject)
  }
  return [...found.values()]
}
