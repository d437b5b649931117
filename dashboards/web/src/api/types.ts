// What the server sends to the pages. Quantities and money arrive as decimal strings.

export type Decimal = string
export type Time = string

export interface Coded { code: string; params?: Record<string, unknown> }

export interface Refusal {
  error: string
  message?: string
  remedy?: string
  params?: Record<string, unknown>
  state?: Record<string, unknown>
}

export interface Me {
  account: string
  roles: string[]
  permissions: string[]
  language: string | null
  demo: boolean
}

export interface SiteFacts {
  enterprise: string
  site: string
  site_tz: string
  currency: string
  demo: boolean
  version: string
  erp: { name: string; url: string | null }
  terminals: { id: string; name: string; work_center: string }[]
}

// --- terminal

export interface Person { id: string; name: string; skills?: string[] }
export interface RosterPerson { id: string; name: string; skills: string[]; clocked_in: boolean }
export interface Lot { lot: string; quantity: Decimal; expires_at: Time | null }
export interface Component {
  material: string
  name: string
  required: Decimal
  consumed: Decimal
  uom: string
  lots: Lot[]
}
export interface Job {
  id: string
  work_order: string
  operation: number
  name: string
  material: string
  material_name: string
  quantity: Decimal
  good: Decimal
  scrap: Decimal
  remaining: Decimal
  uom: string
  status: string
  planned_start: Time | null
  planned_end: Time | null
  equipment: string
  due_at: Time | null
  late: boolean
  serials: string[]
  components: Component[]
  instructions: string | null
  startable?: boolean
  not_startable?: Coded | null
}
export interface Label { kind: string; text: string; title: string }
export interface Recent {
  id: string
  kind: string
  at: Time
  job: string | null
  quantity?: Decimal
  uom?: string
  reason?: string | null
  lot?: string | null
  material?: string | null
  person?: string | null
  reversed?: boolean
}
export interface TerminalSnapshot {
  terminal: string
  equipment: { id: string; name: string; work_center: string; state: string; since: Time | null }
  people: Person[]
  job: Job | null
  queue: Job[]
  reasons: { scrap: string[]; stop: string[]; hold: string[] }
  tray: { labels: Label[] }
  last: Recent[]
  roster?: { shift: string | null; people: RosterPerson[] } | null
}

// --- planner

export interface PlanOperation {
  job_order: string
  work_order: string
  operation: number
  equipment: string
  start: Time
  end: Time
  setup_min: number
  material: string
  family: string
  late_min: number
  reason: Coded | null
  status: string
  locked: boolean
}
export interface PlanOrder {
  work_order: string
  customer: string
  due_at: Time
  end: Time
  late_min: number
  why: { cause: string; minutes: number }[]
}
export interface PlanEquipment {
  id: string
  name: string
  work_center: string
  calendar: { from: Time; to: Time; kind: string }[]
}
export interface Plan {
  version: number
  solver: string
  status: string
  objective: number | null
  bound: number | null
  gap: number | null
  published_at: Time | null
  by: string | null
  operations: PlanOperation[]
  orders: PlanOrder[]
  equipment: PlanEquipment[]
}
export interface PlanDiff {
  moved: { job_order: string; from: Time; to: Time; from_equipment?: string; to_equipment?: string }[]
  late: { work_order: string; minutes: number; previous?: number }[]
  saved: { work_order: string; minutes: number }[]
  trigger: Coded | string | null
}
export interface Proposal extends Plan { id: string; diff: PlanDiff }
export interface Promise_ { date: Time; binding: Coded | null }

// --- board

export interface Kpi {
  oee: Decimal | null
  availability: Decimal | null
  effectiveness: Decimal | null
  quality: Decimal | null
  reason: string | null
}
export interface Shift { name: string; starts_at: Time; ends_at: Time }
export interface BoardEquipment {
  id: string
  name: string
  work_center: string | null
  state: string
  since: Time | null
  reason: string | null
  job: string | null
  counts: { good: Decimal; scrap: Decimal }
  kpi: Kpi
}
export interface LinkState { name: string; lag_s: number | null; state: string }
export interface BoardSnapshot {
  shift: Shift | null
  equipment: BoardEquipment[]
  links: LinkState[]
}
export interface Source { edge: string; epoch: string; seq: number; index: number }
export interface KpiReport {
  equipment: string
  starts_at: Time
  ends_at: Time
  values: Record<string, Decimal | null>
  reasons: Record<string, string>
  elements: Record<string, Decimal>
  outputs: { item: string; pri_s: Decimal; pq: Decimal; gq: Decimal; sq: Decimal }[]
  intervals: {
    id: string
    state: string
    kind: string
    reason: string | null
    starts_at: Time
    ends_at: Time
    seconds: Decimal
    source: Source | null
  }[]
  counts: {
    id: number
    kind: string
    delta: Decimal
    raw: Decimal | null
    at: Time
    job_order: string | null
    item: string | null
    doubtful: boolean
    accepted: boolean | null
    source: Source | null
  }[]
  counts_in_all: number
  unattributed: Decimal
  waiting: Decimal
}

// --- /o/{number}

export interface LookupOrder {
  work_order: string
  status: string
  material: string
  material_name: string | null
  quantity: Decimal
  good: Decimal
  scrap: Decimal
  uom: string
  due_at: Time | null
  erp_ref: string | null
  promise: { promised_at: Time; previous: Time | null; reason: Coded | null; at: Time } | null
  planned_end: Time | null
  operations: {
    job_order: string
    operation: number
    name: string
    status: string
    equipment: string | null
    quantity: Decimal
    good: Decimal
    scrap: Decimal
    planned_start: Time | null
    planned_end: Time | null
    started_at: Time | null
    ended_at: Time | null
  }[]
  materials: { material: string; lot: string | null; quantity: Decimal; uom: string; job_order: string; at: Time }[]
  labour: { person: string; rate_class: string; hours: Decimal }[]
  scraps: { job_order: string; quantity: Decimal; uom: string; reason: string; at: Time; person: string | null }[]
  costs: { account: string; debit: Decimal; credit: Decimal }[]
  cost_entries: number
  currency: string
  documents: {
    id: string
    kind: string
    state: string
    erp_ref: string | null
    recorded_at: Time | null
    posted_at: Time | null
    lag_s: number | null
    error: string | null
  }[]
  serials: {
    serial: string
    at: Time | null
    components: { material: string; lot: string; quantity: Decimal; uom: string }[]
  }[]
  erp_url: string | null
}
export interface Lookup {
  number: string
  kind: 'customer_order' | 'work_order' | 'production' | 'lot' | 'serial' | 'job_order'
  customer_order: { number: string; customer: string | null } | null
  orders: LookupOrder[]
  lot: {
    lot: string
    material: string
    material_name: string | null
    status: string
    quantity: Decimal
    uom: string
    received_at: Time | null
    expires_at: Time | null
    supplier: string | null
    used_in: { work_order: string; serial: string | null; quantity: Decimal; uom: string; at: Time }[]
  } | null
}

// --- make trouble

export interface TroubleKind {
  kind: string
  needs?: 'equipment' | 'person' | 'lot' | null
  options?: { id: string; name?: string }[] | string[]
  active?: boolean
}
export interface Trouble {
  kinds: (TroubleKind | string)[]
  counters: { lost: number | null; doubled: number | null; difference: Decimal | null }
}

export interface Change {
  topics: string[]
  type: string
  at: Time
  id: string
  body: Record<string, unknown>
}
