import { type Helper, HELPERS, MANY } from '../src/workflow/template/helpers.ts'

/** Where the page stands in the repository. */
export const TEMPLATES_PAGE = 'docs/reference/templates.md'

/** The page about what templates of workflows know, from the table of helpers. */
export function templatesPage(): string {
  const rows = [...HELPERS.values()].map(
    ({ name, arity, about, example }) =>
      `| \`${name}\` | ${argumentsOf(arity)} | ${cell(about)} | ${example ? exampleOf(example) : ''} |`,
  )
  return `${[
    '# Helpers of templates',
    '<!-- Written by `npm run docs` from src/workflow/template/helpers.ts. Do not edit. -->',
    'Both spellings have the same helpers: `{{ upper params.name }}` (Handlebars), `{{ .params.name | upper }}` (Go). A pipe gives its value as the last argument. What is missing is an error, but for helpers that choose between values.',
    ['| Helper | Arguments | Gives | Example |', '|---|---|---|---|', ...rows].join('\n'),
  ].join('\n\n')}\n`
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

const exampleOf = ([write, gives]: NonNullable<Helper['example']>): string =>
  cell(`\`{{ ${write} }}\` gives \`${JSON.stringify(gives)}\``)

function argumentsOf([least, most]: readonly [number, number]): string {
  if (least === most) return String(least)
  return most === MANY ? `${least} or more` : `${least} to ${most}`
}
