import { type Args, type Command, JSON_FLAG } from '../args.ts'
import { reportFaults } from '../report-faults.ts'
import { fileIn } from './file-argument.ts'
import { readPolicyFile } from './source.ts'

export const checkVerb: Command = {
  name: 'policy check',
  usage: 'FILE [options]',
  summary: 'Tell everything that is wrong with policies, where it stands.',
  flags: JSON_FLAG,
  notes: ['FILE is a configuration or a .cedar file. Exits with 3 when there are errors; warnings are none.'],
  examples: ['vmcp policy check vmcp.yaml', 'vmcp policy check team.cedar --json'],
  run: check,
}

async function check(args: Args): Promise<number> {
  const file = fileIn(args)
  const { set, faults } = await readPolicyFile(file)
  const none = `${file} has no policies: everybody who may connect may do everything`
  return reportFaults(args, faults, ({ good }) => (set ? good('valid') : none))
}
