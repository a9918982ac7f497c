import { HELPERS, MANY } from '../src/workflow/template/helpers.ts'

/** Where the page stands in the repository. */
export const TEMPLATES_PAGE = 'docs/reference/templates.md'

/** The page about what templates of workflows know, from the table of helpers. */
export function templatesPage(): string {
  const rows = [...HELPERS.values()].map(
    ({ name, arity, about }) => `| \`${name}\` | ${argumentsOf(arity)} | ${about.replaceAll('|', '\\|')} |`,
  )
  return `${[
    '# Helpers of templates',
    '<!-- Written by `npm run docs` from src/workflow/template/helpers.ts. Do not edit. -->',
    'Both spellings have the same helpers: `{{ upper params.name }}` (Handlebars), `{{ .params.name | upper }}` (Go). A pipe gives its value as the last argument. What is missing is an error, but for helpers that choose between values.',
    ['| Helper | Arguments | Gives |', '|---|---|---|', ...rows].join('\n'),
  ].join('\n\n')}\n`
}

function argumentsOf([least, most]: readonly [number, number]): string {
  if (least === most) return String(least)
  return most === MANY ? `${least} or more` : `${least} to ${most}`
}
