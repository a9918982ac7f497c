// Writes the generated pages of docs/reference.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import { PAGE, protocolPage } from '../test/matrix/page.ts'

mkdirSync(dirname(PAGE), { recursive: true })
writeFileSync(PAGE, protocolPage())
console.log(`written: ${PAGE}`)
