export { parseJson } from '../../../src/protocol/json.ts'
