import { describeCells } from './cells.ts'

describeCells('sse')
