import { answer, client, ServerRefusal } from '@/api/client'
import type { Plan, Proposal } from '@/api/types'
import type { useCommands } from '@/lib/command'
import { touches, useResource } from '@/lib/resource'
import { asTold } from './kept'

export type Verdict = 'publish' | 'discard'

const PATHS = {
  publish: '/api/v1/planner/proposals/{plan_id}/publish',
  discard: '/api/v1/planner/proposals/{plan_id}/discard',
} as const

async function fetchPlan(): Promise<Plan | null> {
  try {
    return asTold(await answer(client.GET('/api/v1/planner/plan')))
  } catch (error) {
    if (error instanceof ServerRefusal && error.status === 404) return null
    throw error
  }
}

async function fetchProposal(): Promise<Proposal | null> {
  const proposal = await answer(client.GET('/api/v1/planner/proposal', {}))
  return proposal ? asTold(proposal) : null
}

/** The plan in force, and the one that waits for somebody's word; a word given is sent by `send`. */
export function usePlans(send: ReturnType<typeof useCommands>['send']) {
  const plan = useResource(fetchPlan, { concerns: touches('plan', 'job', 'order', 'equipment'), every_s: 30 })
  const proposal = useResource(fetchProposal, { concerns: touches('plan', 'proposal', 'trouble', 'job', 'order'), every_s: 3 })

  async function decide(verdict: Verdict): Promise<void> {
    const plan_id = proposal.data.value?.id
    if (plan_id === undefined) return
    await send(`${verdict} ${plan_id}`, (header) =>
      answer(client.POST(PATHS[verdict], { params: { path: { plan_id }, header }, body: {} })),
    )
    await Promise.all([plan.reload(), proposal.reload()])
  }

  return { plan, proposal, decide }
}
