// Writes the generated pages of docs/reference.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import { PAGE, protocolPage } from '../test/matrix/page.ts'
import { TEMPLATES_PAGE, templatesPage } from './templates-page.ts'

const PAGES = { [PAGE]: protocolPage, [TEMPLATES_PAGE]: templatesPage }

for (const [page, make] of Object.entries(PAGES)) {
  mkdirSync(dirname(page), { recursive: true })
  writeFileSync(page, make())
  console.log(`written: ${page}`)
}
