import type { Offer, World } from '../../workflow/compile/world.ts'
import type { Tools } from './offers.ts'

export type Answer = ReturnType<World['tool']>

/** Sets of tools for which one thing is kept. */
const MAX_VARIANTS = 8

interface Variant<Made> {
  readonly made: Made
  /** What it has been told of tools. It holds as long as it would be told the same. */
  readonly asked: ReadonlyMap<string, Answer>
  /** How many tools there were, if it looked: hints of what is wrong name some of them. */
  readonly count: number | undefined
}

/** What is made of tools, kept until it would be told something else of those that it asked for. */
export class ToolMemo<Made> {
  readonly #variants = new Map<string, Variant<Made>[]>()
  readonly #mostKeys: number

  /** Beyond `mostKeys` those are forgotten that nobody has wanted for longest. */
  constructor(mostKeys = Infinity) {
    this.#mostKeys = mostKeys
  }

  /** `make` may ask the tools that it is given, and no others; `asked`: whatever it has been told. */
  get(key: string, tools: Tools, make: (tools: Tools, asked: ReadonlyMap<string, Answer>) => Made): Made {
    const variants = this.#variants.get(key) ?? []
    this.#variants.delete(key)
    this.#variants.set(key, variants)
    const known = variants.find((variant) => holds(variant, tools))
    if (known) return known.made
    const asked = new Map<string, Answer>()
    let count: number | undefined
    const told: Tools = {
      tool: (name) => {
        const answer = tools.tool(name)
        asked.set(name, answer)
        return answer
      },
      tools: () => {
        count ??= countOf(tools)
        return tools.tools()
      },
    }
    const made = make(told, asked)
    variants.unshift({ made, asked, count })
    variants.length = Math.min(variants.length, MAX_VARIANTS)
    for (const oldest of this.#variants.keys()) {
      if (this.#variants.size <= this.#mostKeys) break
      this.#variants.delete(oldest)
    }
    return made
  }
}

function holds({ asked, count }: Variant<unknown>, tools: Tools): boolean {
  if (count !== undefined && count !== countOf(tools)) return false
  for (const [name, answer] of asked) if (!isSame(tools.tool(name), answer)) return false
  return true
}

function countOf({ tools }: Tools): number {
  let total = 0
  for (const _ of tools()) total++
  return total
}

/** Definitions are made anew with each catalogue; what their backends have sent is not. */
function isSame(now: Answer, then: Answer): boolean {
  if (typeof now === 'string' || typeof then === 'string') return now === then
  return now.shown === then.shown && SCHEMAS.every((key) => now[key] === then[key]) && readOnly(now) === readOnly(then)
}

const SCHEMAS = ['inputSchema', 'outputSchema'] as const
const readOnly = ({ annotations }: Offer): unknown => annotations?.['readOnlyHint']
