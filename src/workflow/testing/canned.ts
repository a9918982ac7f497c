import type { JsonObject } from '../../model/json.ts'
import type { Canned, CannedAnswer, Problem } from './case.ts'
import { differences } from './compare.ts'
import type { Subject } from './subject.ts'
import { shown } from './words.ts'

export interface Taken {
  readonly answer: CannedAnswer
  readonly path: Problem['path']
}

/** The canned answers of one run; those of a list are used up. */
export interface Supply {
  /** `names`: by which the call may be meant, the most particular first. `none`: no answer is for such a call. */
  readonly take: (names: readonly string[], args: JsonObject) => Taken | { readonly why: Problem } | 'none'
}

export function supplyOf(tools: ReadonlyMap<string, Canned>, { keyOf }: Subject): Supply {
  const shelves = new Map([...tools].map(([key, canned]) => [keyOf(key), { key, canned, used: new Set<number>() }]))
  return {
    take: (names, args) => {
      let why: Problem | undefined
      for (const name of names) {
        const shelf = shelves.get(name)
        if (!shelf) continue
        const { key, canned, used } = shelf
        if ('length' in canned) {
          const index = canned.findIndex((answer, place) => !used.has(place) && isFor(answer, args))
          const answer = canned[index]
          if (answer) {
            used.add(index)
            return { answer, path: ['tools', key, index] }
          }
        } else if (isFor(canned, args)) return { answer: canned, path: ['tools', key] }
        why ??= { path: ['tools', key], ...shortage(canned, used.size, args) }
      }
      return why ? { why } : 'none'
    },
  }
}

const isFor = ({ when }: CannedAnswer, args: JsonObject): boolean =>
  when === undefined || differences(when, args, [], false).length === 0

function shortage(canned: Canned, used: number, args: JsonObject): Omit<Problem, 'path'> {
  if ('length' in canned && used === canned.length) {
    const message = `the list has answers for ${used === 1 ? 'one call' : `${used} calls`}, and there is another one`
    return { message, hint: 'add an answer, or write one without a list for all calls' }
  }
  return {
    message: `no answer is for the arguments ${shown(args)}`,
    hint: 'add an answer whose when has them, or one without when',
  }
}
