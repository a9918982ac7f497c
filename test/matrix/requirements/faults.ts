import { elsewhere, type Requirement } from './row.ts'

const POINTS = ' (before any byte|after progress|while its question is open)$'

const fault = (id: string, what: string) =>
  elsewhere(
    `fault.${id}`,
    `a call whose backend ${what} says so in time (between two rounds of a modern one it goes on), runs once, and the next works`,
    'faults',
    new RegExp(`^${id}${POINTS}`),
  )
const departure = (id: string, text: string, test: string) =>
  elsewhere(`fault.${id}`, text, 'faults', new RegExp(`^${test}${POINTS}`))

/** What happens when something breaks: at every point of a call, for backends of both eras over stdio and HTTP. */
export const FAULTS: readonly Requirement[] = [
  fault('killed', 'is killed'),
  fault('restarted', 'is restarted'),
  fault('hung', 'hangs'),
  fault('cut', 'loses its connection'),
  departure(
    'legacy-gone',
    'a legacy client that is gone has not cancelled; when it does, the call ends upstream',
    'legacy, disconnects',
  ),
  departure(
    'legacy-ends',
    'a legacy client that cancels its call, or ends its session, ends the call upstream',
    'legacy, (cancels|ends its session)',
  ),
  departure('modern-gone', 'a modern client that is gone has cancelled its call upstream', 'modern, disconnects'),
  elsewhere(
    'fault.session-lost',
    'a session upstream that is forgotten is opened again when nothing can have run, and the call runs once',
    'failures',
    /the next call succeeds, executed once$/,
  ),
  elsewhere(
    'fault.isolation',
    'many clients with the same ids, tokens and different levels at once see only their own',
    'isolation',
    /see only their own$/,
  ),
  elsewhere(
    'fault.leaks',
    'of calls that end in any of these ways nothing is left, here or upstream',
    'leaks',
    /nothing is left/,
  ),
]
