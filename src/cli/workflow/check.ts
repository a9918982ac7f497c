import { type Args, type Command, JSON_FLAG } from '../args.ts'
import { CONFIG_FLAGS } from '../configuration.ts'
import { reportFaults } from '../report-faults.ts'
import { checkedComposites, OFFLINE_FLAG, pick, uncheckedComposites } from './composites.ts'
import { compositeFaults } from './faults.ts'
import { loadWorkflows, namedBy } from './named.ts'

export const checkVerb: Command = {
  name: 'workflow check',
  usage: '[FILE|DIR...] [NAME] [options]',
  summary: 'Tell everything that is wrong with composite tools, where it stands in the files.',
  flags: { ...CONFIG_FLAGS, ...OFFLINE_FLAG, ...JSON_FLAG },
  notes: [
    'Starts the backends, since composite tools are checked against the tools that are really there; without backends',
    'only what needs none is checked.',
    'Exits with 3 when there are errors; warnings are none.',
  ],
  examples: ['vmcp workflow check vmcp.yaml', 'vmcp workflow check vmcp.yaml release --offline'],
  run: check,
}

async function check(args: Args): Promise<number> {
  const { source, name } = namedBy(args, 'name')
  const loaded = await loadWorkflows(source)
  const { config } = loaded
  const all = config.backends.length === 0 ? uncheckedComposites(config) : await checkedComposites(args, loaded)
  const meant = name === undefined ? all : [pick(all, name)]
  const faults = compositeFaults(config, meant, loaded.locate)
  return reportFaults(
    args,
    faults,
    ({ good }) => `${good('valid')}: ${meant.map(({ workflow }) => workflow).join(', ')}`,
  )
}
