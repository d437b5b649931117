// What the server sends to the pages. Quantities and money arrive as decimal strings.

import type { components } from './schema'

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

type Schemas = components['schemas']

export type Me = Schemas['Me']
export type SiteFacts = Schemas['SiteFacts']
export type Status = Schemas['Status']
export type ErpStatus = Schemas['ErpStatus']
export type ErpDocument = Schemas['erp_bridge__store__lanes__DocumentRow']
export type ErpRefused = Schemas['erp_bridge__store__records__Refusal']
export type ErpVisitor = Schemas['Visitor']

// --- terminal

export type Person = Schemas['PersonView']
export type Component = Schemas['ComponentView']
export type Job = Schemas['JobView']
export type Label = Schemas['Label']
export type Recent = Schemas['RecentRow']
export type MachineScan = Schemas['MachineScan']
export type HelpCall = Schemas['HelpCall']
export type TerminalSnapshot = Schemas['TerminalView']
export type TerminalCard = Schemas['TerminalCard']
export type Roster = Schemas['Roster']

// --- planner

export interface PlanOperation {
  job_order: string
  work_order: string
  operation: number
  equipment: string
  setup_start: Time
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
  why: { cause: string; minutes: number; subject: string; by: string }[]
}
export interface PlanEquipment {
  id: string
  name: string
  work_center: string
  calendar: { from: Time; to: Time; kind: string }[]
}
export interface Plan {
  id: string
  version: number
  solver: string
  status: string
  objective: number | null
  bound: number | null
  gap: number | null
  dispatch_objective: number | null
  published_at: Time | null
  by: string | null
  operations: PlanOperation[]
  orders: PlanOrder[]
  equipment: PlanEquipment[]
}
export interface PlanPlace { equipment: string; start: Time }
export interface PlanShift {
  work_order: string
  end_before: Time
  end_after: Time
  late_before_min: number
  late_after_min: number
}
export interface PlanTrigger { reason: string; params: Record<string, unknown>; by: string }
export interface PlanDiff {
  moved: { job_order: string; work_order: string; from: PlanPlace; to: PlanPlace }[]
  late: PlanShift[]
  saved: PlanShift[]
  added: string[]
  trigger: PlanTrigger[]
}
export interface Proposal extends Plan { diff: PlanDiff }
export interface Promise_ { date: Time; binding: Coded | null }

// --- board

export type Kpi = Schemas['Kpi']
export type Shift = Schemas['ShiftName']
export type BoardEquipment = Schemas['BoardUnit']
export type LinkState = Schemas['Link']
export type BoardSnapshot = Schemas['Board']
export type DoubtfulCount = Schemas['DoubtfulCount']
export type RefusedScan = Schemas['RefusedScan']
export type Source = Schemas['Source']
export type KpiReport = Schemas['Report']

// --- one number

export type Lookup = Schemas['Lookup']
export type LookupOrder = Schemas['Order']

// --- make trouble

export type Trouble = Schemas['Drawer']
export type TroubleKind = Schemas['Trouble']

export interface Change {
  topics: string[]
  type: string
  at: Time
  id: string
  body: Record<string, unknown>
}
