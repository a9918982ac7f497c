import { describeCells } from './cells.ts'

describeCells('http')
