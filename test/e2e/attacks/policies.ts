/** Policies that are dear to read or to ask, as an operator may be led to paste them. */
export interface PolicyAttack {
  name: string
  policies: () => string[]
  /** What is said of them; absent: they are fine. */
  fault?: RegExp
  withinMs?: number
}

const PERMIT = 'permit(principal, action == Action::"call_tool", resource)'
const when = (expression: string): string[] => [`${PERMIT} when { ${expression} };`]
const times = (count: number, text: string) => text.repeat(count)
const NESTED = /nest|deep/iu

export const POLICIES: readonly PolicyAttack[] = [
  { name: 'fifty brackets', policies: () => when(`${times(40, '(')}true${times(40, ')')}`) },
  { name: 'a hundred brackets', policies: () => when(`${times(100, '(')}true${times(100, ')')}`), fault: NESTED },
  {
    name: 'a hundred thousand brackets',
    policies: () => when(`${times(100_000, '(')}true${times(100_000, ')')}`),
    fault: NESTED,
  },
  { name: 'a hundred thousand brackets that do not close', policies: () => when(times(100_000, '(')), fault: /./u },
  {
    name: 'a hundred thousand lists',
    policies: () => when(`${times(100_000, '[')}1${times(100_000, ']')} == 1`),
    fault: NESTED,
  },
  {
    name: 'ten thousand records',
    policies: () => when(`${times(10_000, '{a:')}1${times(10_000, '}')} == 1`),
    fault: NESTED,
  },
  { name: 'ten thousand negations', policies: () => when(`${times(10_000, '!')}true`), fault: /./u },
  { name: 'ten thousand signs', policies: () => when(`${times(10_000, '-')}1 == 1`), fault: /./u },
  {
    name: 'ten thousand conditions',
    policies: () => when(`${times(10_000, 'if true then true else ')}false`),
    fault: /./u,
  },
  { name: 'ten thousand attributes', policies: () => when(`context${times(10_000, '.a')} == 1`), fault: /./u },
  { name: 'ten thousand conjunctions', policies: () => when(`true${times(10_000, ' && true')}`), fault: /./u },
  { name: 'ten thousand disjunctions', policies: () => when(`false${times(10_000, ' || false')}`), fault: /./u },
  { name: 'ten thousand sums', policies: () => when(`1${times(10_000, ' + 1')} == 2`), fault: /./u },
  { name: 'ten thousand clauses', policies: () => [`${PERMIT}${times(10_000, ' when { true }')};`], fault: /./u },
  {
    name: 'a pattern of ten thousand stars',
    policies: () => when(`resource has name && resource.name like "${times(10_000, '*a')}"`),
  },
  { name: 'a text of ninety thousand letters', policies: () => when(`resource.name == "${times(90_000, 'a')}"`) },
  {
    name: 'a text of a megabyte',
    policies: () => when(`resource.name == "${times(1_000_000, 'a')}"`),
    fault: /is the most/u,
  },
  { name: 'twenty thousand comments', policies: () => [`${times(20_000, '//(\n')}${PERMIT};`] },
  { name: 'ninety thousand spaces', policies: () => [`${times(90_000, ' ')}${PERMIT};`] },
  {
    name: 'a scope of four thousand actions',
    policies: () => [
      `permit(principal, action in [${times(3999, 'Action::"call_tool",')}Action::"call_tool"], resource);`,
    ],
  },
  {
    name: 'two thousand policies',
    policies: () =>
      Array.from(
        { length: 2000 },
        (_, index) => `${PERMIT} when { context has arg_a${index} && context.arg_a${index} == ${index} };`,
      ),
    withinMs: 10_000,
  },
]
