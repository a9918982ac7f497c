import { readFileSync } from 'node:fs'
import type { Identity } from '../protocol/translate.ts'

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

/** Who the gateway says it is, to clients and to backends. */
export const identity: Identity = { name: 'vmcp', version: manifest.version }
