import { computed, onScopeDispose, ref } from 'vue'
import { answer, client } from '@/api/client'
import type { Scenario, ScenarioChange } from '@/api/types'
import type { useCommands } from '@/lib/command'
import { touches, useResource } from '@/lib/resource'

export type ScenarioVerb = 'solve' | 'stop' | 'discard' | 'publish'

const ROOT = '/api/v1/planner/scenarios'
const PATHS = {
  solve: '/api/v1/planner/scenarios/{scenario_id}/solve',
  stop: '/api/v1/planner/scenarios/{scenario_id}/stop',
  discard: '/api/v1/planner/scenarios/{scenario_id}/discard',
  publish: '/api/v1/planner/scenarios/{scenario_id}/publish',
} as const

/** The scenarios, and the one that is looked at; while it is solved it is asked for each second. */
export function useScenarios(send: ReturnType<typeof useCommands>['send']) {
  const chosen = ref<string | null>(null)
  const all = useResource(() => answer(client.GET(ROOT, {})), { concerns: touches('scenario') })
  const one = useResource(read, { concerns: touches('scenario') })
  const shown = computed(() => (one.data.value?.head.id === chosen.value ? one.data.value : null))

  async function read(): Promise<Scenario | null> {
    if (chosen.value === null) return null
    const path = { scenario_id: chosen.value }
    return answer(client.GET('/api/v1/planner/scenarios/{scenario_id}', { params: { path } }))
  }

  const asking = setInterval(() => {
    const status = shown.value?.head.status
    if ((status === 'waiting' || status === 'solving') && document.visibilityState === 'visible') void one.reload()
  }, 1000)
  onScopeDispose(() => clearInterval(asking))

  async function refresh(): Promise<void> {
    await Promise.all([all.reload(), one.reload()])
  }

  async function choose(id: string | null): Promise<void> {
    chosen.value = id
    await refresh()
  }

  async function copy(name: string): Promise<void> {
    let id: string | null = null
    const body = { name, source: null }
    await send(`copy ${name} ${all.data.value?.length}`, async (header) => {
      id = (await answer(client.POST(ROOT, { params: { header }, body }))).scenario
    })
    if (id) await choose(id)
  }

  async function change(changes: ScenarioChange[]): Promise<boolean> {
    const head = shown.value?.head
    if (!head) return false
    const body = { changes, revision: head.revision, name: null }
    const done = await send(`change ${head.id} ${JSON.stringify(body)}`, (header) =>
      answer(client.POST('/api/v1/planner/scenarios/{scenario_id}/changes', { params: { path: { scenario_id: head.id }, header }, body })),
    )
    await refresh()
    return done
  }

  async function act(verb: ScenarioVerb, body: { seconds?: number; plan?: string } = {}): Promise<boolean> {
    const head = shown.value?.head
    if (!head) return false
    const done = await send(`${verb} ${head.id} ${head.changed_at}`, (header) =>
      answer(client.POST(PATHS[verb], { params: { path: { scenario_id: head.id }, header }, body })),
    )
    if (done && verb === 'discard') chosen.value = null
    await refresh()
    return done
  }

  return { all, chosen, shown, choose, copy, change, act }
}
