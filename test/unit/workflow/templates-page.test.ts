import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { TEMPLATES_PAGE, templatesPage } from '../../../scripts/templates-page.ts'

test(`${TEMPLATES_PAGE} is what npm run docs writes`, async () => {
  const page = await readFile(new URL(`../../../${TEMPLATES_PAGE}`, import.meta.url), 'utf8')
  expect(page).toBe(templatesPage())
})
