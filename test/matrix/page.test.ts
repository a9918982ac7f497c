import { readFile } from 'node:fs/promises'

import { expect, test } from 'vitest'

import { PAGE, protocolPage } from './page.ts'

test(`${PAGE} is what npm run docs writes`, async () => {
  const page = await readFile(new URL(`../../${PAGE}`, import.meta.url), 'utf8')
  expect(page).toBe(protocolPage())
})
