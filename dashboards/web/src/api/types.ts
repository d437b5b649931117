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

export type PlanOperation = Schemas['PlannedOperation']
export type LateCause = Schemas['LateCause']
export type PlanOrder = Schemas['PlannedOrder']
export type PlanEquipment = Schemas['PlannedUnit']
export type Plan = Schemas['PlanShown']
export type Proposal = Schemas['ProposalShown']
export type PromiseDate = Schemas['PromiseShown']
export type PromiseOption = Schemas['PromiseOption']
export type KeptDate = Schemas['HoldShown']
export type BrokenDate = Schemas['BrokenDate']
export type OrderLeftOut = Schemas['OrderLeftOut']
export type PlanFault = Schemas['PlanFault']
export type PlanTrouble = Schemas['PlanTrouble']
export type LateFix = Schemas['LateFix']
export type ScenarioHead = Schemas['ScenarioHead']
export type Scenario = Schemas['ScenarioShown']
export type ScenarioComparison = Schemas['ScenarioComparison']
export type ScenarioChange = Scenario['changes'][number]

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
