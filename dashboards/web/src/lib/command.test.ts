import { describe, expect, it } from 'vitest'
import { ServerRefusal, Unreachable } from '@/api/client'
import { useCommands } from './command'

describe('a command that a tap sends', () => {
  it('keeps its key while no answer came, and gets a new one once it was answered', async () => {
    const { send, refusal } = useCommands()
    const keys: string[] = []
    const answers: (Error | null)[] = [new Unreachable('lost'), null, new ServerRefusal(409, { error: 'HelpNotCalled' }), null]
    for (const answer of answers) {
      await send('call-1', async (header) => {
        keys.push(header['Idempotency-Key'])
        if (answer) throw answer
      })
    }
    expect(keys[0]).toBe(keys[1])
    expect(new Set(keys).size).toBe(3)
    expect(refusal.value).toBeNull()
  })

  it('says why it was refused', async () => {
    const { send, refusal } = useCommands()
    const refuse = () => Promise.reject(new ServerRefusal(409, { error: 'HelpNotCalled' }))
    expect(await send('call-1', refuse)).toBe(false)
    expect(refusal.value).toEqual({ error: 'HelpNotCalled' })
    expect(await send('call-1', () => Promise.reject(new Unreachable('lost')))).toBe(false)
    expect(refusal.value).toEqual({ error: 'NoNetwork' })
    const unable = Object.assign(new Unreachable('status 503'), { refusal: { error: 'PlannerSilent' } })
    expect(await send('call-1', () => Promise.reject(unable))).toBe(false)
    expect(refusal.value).toEqual({ error: 'PlannerSilent' })
  })

  it('is alone while it is on its way', async () => {
    const { send, busy } = useCommands()
    let done = () => undefined as void
    const first = send('call-1', () => new Promise<void>((resolve) => { done = resolve }))
    expect(busy.value).toBe('call-1')
    expect(await send('call-1', async () => undefined)).toBe(false)
    done()
    expect(await first).toBe(true)
    expect(busy.value).toBeNull()
  })
})
