import type { Call, Context, Layer } from '../../model/call.ts'
import { GatewayError } from '../../model/errors.ts'
import { clip } from '../../protocol/clip.ts'
import type { Telemetry } from '../../telemetry/events.ts'

/** Calls of one generation that have not ended, streams that still arrive included. */
export class Tally {
  running = 0
  readonly #waiting = new Set<() => void>()

  readonly ended = (): void => {
    if (--this.running > 0) return
    for (const resolve of this.#waiting) resolve()
  }

  /** Whether they have all ended, `ms` from now at the latest. */
  async idleWithin(ms: number): Promise<boolean> {
    if (this.running === 0) return true
    if (ms === 0) return false
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms)
      const waiting = this.#waiting
      waiting.add(done)
      function done(): void {
        clearTimeout(timer)
        waiting.delete(done)
        resolve()
      }
    })
    return this.running === 0
  }
}

/** Counts and tells of every call, refusals included. */
export function observeLayer(telemetry: Telemetry, tally: Tally): Layer {
  return (inner) => ({
    ...inner,
    async invoke(call, context) {
      const started = performance.now()
      tally.running++
      try {
        const outcome = await inner.invoke(call, context)
        if (outcome.kind === 'stream') outcome.stream.onFinish(tally.ended)
        else tally.ended()
        if (telemetry.hears('call.done')) {
          const ms = performance.now() - started
          telemetry.emit('call.done', { method: call.kind, name: clip(subject(call)), ms, ...by(context) })
        }
        return outcome
      } catch (error) {
        tally.ended()
        const { code, message } = error instanceof GatewayError ? error : { code: 'INTERNAL', message: String(error) }
        // What its reader is told holds a link that is theirs alone.
        const why = code === 'CONSENT_NEEDED' ? 'its user has to sign in first' : message
        const name = clip(subject(call))
        telemetry.emit('call.failed', { method: call.kind, name, code, message: why, ...by(context) })
        throw error
      }
    },
  })
}

const by = ({ step }: Context): { by?: string } => (step ? { by: clip(`${step.workflow}/${step.step}`) } : {})

function subject(call: Call): string {
  switch (call.kind) {
    case 'tool':
    case 'prompt':
      return call.name
    case 'resource':
      return call.uri
    case 'complete':
      return call.ref.type === 'prompt' ? call.ref.name : call.ref.uri
    case 'task':
      return call.verb
    case 'tasks':
    case 'skills':
      return 'list'
    case 'skill':
    case 'directory':
      return call.uri
    case 'vendor':
      return call.method
  }
}
