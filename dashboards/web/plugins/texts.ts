import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

export type Tree = { [key: string]: string | Tree }
export type Part = 'terminal' | 'desk'

const source = (name: string) => fileURLToPath(new URL(`../src/i18n/${name}`, import.meta.url))
const SOURCES = ['en.json', 'zh-CN.json', 'zh-TW.words.json', 'zh-TW.override.json'].map(source)
const PREFIX = 'virtual:texts/'

/** Groups that only the pages for desks and walls show. */
const DESK_GROUPS = new Set([
  'account', 'actor', 'board', 'cause', 'countKind', 'differWhy', 'documentError', 'documentKind', 'documentState', 'edgeFault', 'erp', 'erpDesk', 'erpRecord', 'erpStream', 'event', 'home', 'kpi',
  'kpiElement', 'kpiReason', 'link', 'linkState', 'lotStatus', 'numberKind', 'order', 'orderStatus', 'planReason', 'planner',
  'promiseReason', 'scenario', 'signIn', 'solver', 'solverStatus', 'trigger', 'trouble', 'troubleHint', 'troubleKind', 'workCenter',
])

/** Refusals that only planners, engineers, finance and administrators can meet. */
const DESK_ERRORS = new Set([
  'AccountLocked', 'AccountShut', 'AccountUnknown', 'AdapterUnknown', 'ClockAhead', 'CountBelowZero', 'CountNegative', 'CountNotWaiting', 'CustomerOrderUnknown', 'DateGone', 'DateNotForeseeable', 'OfferGone', 'MaterialNotForeseen',
  'SkillNotForeseen', 'UnitNotForeseen', 'WorkingTimeNotForeseen',
  'DocumentNotDead', 'DocumentUnknown', 'EdgeConfigUnknown', 'EntryNotBalanced', 'ErpLoginRefused', 'ErpUnavailable', 'HostRefused',
  'LinkNotValid', 'LotNotHeld', 'LotNumberTaken', 'MaterialUnitChanged', 'MethodNotAllowed', 'NotInQuarantine', 'NothingPlanned',
  'NothingToBreak', 'NumberUnknown', 'OutcomeUnknown', 'PagesMissing', 'PasswordTooShort', 'PinNotValid',
  'PlanMovedOn', 'PlanPublishedAlready', 'PlanUnknown', 'PlannerSilent', 'PlantFileNotValid', 'PlantNotPlannable', 'PlantOutOfReach', 'ProposalGone', 'ProposalOverruled', 'PromiseNotHeld', 'QuantityNotPossible',
  'NothingBefore', 'ScenarioUnknown', 'ScenarioEnded', 'ScenarioBusy', 'ScenarioMovedOn', 'ScenarioNotSolved', 'ScenarioNotAsked', 'ScenarioNotTrue',
  'ScenarioOrderUnknown', 'ScenarioOrderThere', 'ScenarioOrderBegun', 'ScenarioQuantityTooSmall', 'ScenarioEquipmentUnknown', 'ScenarioPersonUnknown', 'ScenarioPeriodNotPossible',
  'ReadingNotUnderstood', 'RefusalGone', 'ReadingRefused', 'ReceiptDiffers', 'SignInRefused', 'StateUnknown', 'TakenOver', 'TroubleUnknown',
  'WindowNotValid', 'WorkMasterNotValid', 'WorkOrderNotChangeable', 'WorkOrderNotClosable', 'WorkOrderNotReleasable', 'WorkOrderStarted',
])

function read(path: string): Tree {
  return JSON.parse(readFileSync(path, 'utf8')) as Tree
}

function convertTree(tree: Tree, convert: (text: string) => string): Tree {
  const entries = Object.entries(tree).map(([key, value]) => [
    key,
    typeof value === 'string' ? convert(value) : convertTree(value, convert),
  ])
  return Object.fromEntries(entries)
}

function merge(base: Tree, over: Tree): Tree {
  const result: Tree = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = result[key]
    result[key] = typeof value === 'object' && typeof below === 'object' ? merge(below, value) : value
  }
  return result
}

/** Traditional Chinese as Taiwan's plants say it: zh-CN.json by OpenCC, then their own words, then whole texts by hand. */
export function deriveTraditional(): Tree {
  const opencc = createRequire(import.meta.url)('opencc-js') as {
    Converter(options: { from: string; to: string }): (text: string) => string
  }
  const opened = opencc.Converter({ from: 'cn', to: 'twp' })
  const words = JSON.parse(readFileSync(source('zh-TW.words.json'), 'utf8')) as [string, string][]
  const convert = (text: string) => words.reduce((said, [from, to]) => said.replaceAll(from, to), opened(text))
  return merge(convertTree(read(source('zh-CN.json')), convert), read(source('zh-TW.override.json')))
}

function filtered(tree: Tree, keep: (key: string) => boolean): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([key]) => keep(key)))
}

/** The texts of one part: a terminal loads no words that only a desk shows. */
export function partOf(texts: Tree, part: Part): Tree {
  const desk = part === 'desk'
  return {
    ...filtered(texts, (key) => DESK_GROUPS.has(key) === desk && key !== 'errors'),
    errors: filtered(texts.errors as Tree, (key) => DESK_ERRORS.has(key) === desk),
  }
}

export function textsOf(language: string): Tree {
  return language === 'zh-TW' ? deriveTraditional() : read(source(`${language}.json`))
}

/** Gives `import texts from 'virtual:texts/<language>/<part>'`. */
export function texts(): Plugin {
  return {
    name: 'lineside-texts',
    resolveId: (id) => (id.startsWith(PREFIX) ? `\0${id}` : null),
    load(id) {
      if (!id.startsWith(`\0${PREFIX}`)) return null
      const [language, part] = id.slice(PREFIX.length + 1).split('/') as [string, Part]
      for (const path of SOURCES) this.addWatchFile(path)
      return `export default ${JSON.stringify(partOf(textsOf(language), part))}`
    },
  }
}
