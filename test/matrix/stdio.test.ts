import { describeCells } from './cells.ts'

describeCells('stdio')
