import { beforeEach, expect, test } from 'vitest'
import { type Args, type Command, helpOf, JSON_FLAG, parseCommand } from './args.ts'
import { EXIT } from './exit.ts'
import { verbIn, withVerbs } from './verbs.ts'

let ran: Args[] = []
beforeEach(() => void (ran = []))

const verb = (word: string, flags: Command['flags']): Command => ({
  name: `fleet ${word}`,
  usage: 'FILE',
  summary: `To ${word}.`,
  flags,
  examples: [`vmcp fleet ${word} a`],
  run: async (args) => {
    ran.push(args)
    return EXIT.ok
  },
})
const speed = { speed: { type: 'string', value: 'KNOTS', help: 'how fast' } } as const
const fleet = withVerbs({
  name: 'fleet',
  usage: 'FILE',
  summary: 'To go to sea.',
  examples: ['vmcp fleet sail a'],
  verbs: [verb('sail', { ...speed, ...JSON_FLAG }), verb('row', { ...speed, ...JSON_FLAG }), verb('moor', JSON_FLAG)],
})
const run = async (...argv: string[]) => fleet.run(parseCommand(fleet, argv))

test.each([
  ['sail', '--speed', '5', 'a'],
  ['--speed', '5', 'sail', 'a'],
  ['--speed=5', 'sail', '--', 'a'],
])('a verb gets what is its own: %j', async (...argv) => {
  expect(await run(...argv)).toBe(EXIT.ok)
  expect(ran).toMatchObject([{ command: 'fleet sail', positionals: ['a'], flags: ['speed'] }])
  expect(ran[0]?.text('speed')).toBe('5')
})

test.each([
  [
    ['moor', '--speed', '5'],
    'fleet moor does not know --speed, which goes with sail and row',
    'see vmcp fleet moor --help',
  ],
  [
    ['--speed', '5', 'moor'],
    'fleet moor does not know --speed, which goes with sail and row',
    'see vmcp fleet moor --help',
  ],
  [['sink'], 'say what to do: sail, row, moor', 'see vmcp fleet --help'],
  [[], 'say what to do: sail, row, moor', 'see vmcp fleet --help'],
  [['constructor'], 'say what to do: sail, row, moor', 'see vmcp fleet --help'],
  [['sail', '--sped', '5'], "Unknown option '--sped'", 'see vmcp fleet --help'],
])('%j is wrong usage', async (argv, message, hint) => {
  await expect(run(...argv)).rejects.toMatchObject({ exitCode: EXIT.usage, message, hint })
  expect(ran).toEqual([])
})

test('the overview has all flags, each with the verbs that it goes with', () => {
  const help = helpOf(fleet)
  expect(help).toContain('Usage: vmcp fleet sail|row|moor FILE')
  expect(help).toMatch(/^ {2}row +To row\.$/mu)
  expect(help).toMatch(/^ {2}--speed KNOTS +sail, row: how fast$/mu)
  expect(help).toMatch(/^ {2}--json +print the result as JSON$/mu)
})

test('help is that of the verb that is named', () => {
  expect(verbIn(fleet, ['moor', '--help'])?.name).toBe('fleet moor')
  expect(verbIn(fleet, ['--help'])).toBeUndefined()
  expect(helpOf(verb('moor', JSON_FLAG))).toContain('Usage: vmcp fleet moor FILE')
})
