import { resolve } from 'node:path'
import { publicUrlOf } from './authored-issuers.ts'
import { type Environment, resolveBackends } from './backends.ts'
import { backendNamesIn, check, duplicateBackends } from './check.ts'
import { type Fault, fileError, warning } from './faults.ts'
import { expandFileValues } from './file-values.ts'
import { gatewayConfig, type GatewayConfig } from './gateway-config.ts'
import { resolveIncoming } from './incoming.ts'
import { readInputs, type Source } from './inputs.ts'
import { merge } from './merge.ts'
import { namedFiles } from './named-files.ts'
import { parseDocument, wholeFile } from './parse/document.ts'
import { get, type Located, type LocatedMap, type Position, positionOf, type Step } from './positions.ts'
import { readClientFile } from './read/client-file.ts'
import { respellCompositeTools } from './read/composite-tools.ts'
import type { Withheld } from './read/contribution.ts'
import {
  applyToolConfigs,
  collect,
  emptyManifests,
  type Manifests,
  readManifests,
  resolveCompositeTools,
  type Wanted,
} from './read/manifests.ts'
import { refName } from './read/manifests/objects.ts'
import { recognise, RECOGNISED } from './read/recognise.ts'
import { readSnakeCase } from './read/snake-case.ts'
import { readVmcp } from './read/vmcp-yaml.ts'
import { readUnreferenced, type Unreferenced } from './read/unreferenced.ts'
import { sealingKeys } from './sealing.ts'
import { validate } from './validate.ts'

export { defaultInputs } from './inputs.ts'

export interface LoadOptions {
  /** Which MCPGroup to serve, when the files hold several. */
  group?: string
  /** Go down into folders. Default: false. */
  recursive?: boolean
  /** Default: the environment of the process. */
  env?: NodeJS.ProcessEnv
  /** Folder at which relative inputs begin. Default: that of the process. */
  cwd?: string
  /** What `-` stands for. */
  stdin?: string
}

export interface LoadResult {
  /** Present when there is no error of scope `file`. Backends with faults are in it, with `fault` set. */
  config?: GatewayConfig
  /** All of them at once, in the order of files and lines. */
  faults: Fault[]
  /** Absolute paths of everything that was read, folders and `${file:}` references included. */
  files: string[]
  /** Accepted but without effect; for the log at level debug. */
  notes: string[]
  /** Where a value of the configuration stands, for faults that others find in it. */
  locate: (steps: readonly Step[]) => Position
  /** What is not served, for those who want to know whether it could be. */
  unreferenced: Unreferenced
}

/** What the documents of all files say, before it is put together. */
interface Gathered {
  trees: LocatedMap[]
  manifests: Manifests
  withheld: Withheld[]
  faults: Fault[]
}

/**
 * Reads a configuration from files, folders and `-`, in any dialect: recognised by content, brought to the one schema,
 * merged, checked, resolved. Never throws for what a file contains; everything wrong is a fault with its place.
 */
export async function loadConfig(inputs: readonly string[], options: LoadOptions = {}): Promise<LoadResult> {
  const cwd = options.cwd ?? process.cwd()
  const { sources, faults, files } = await readInputs(inputs, {
    cwd,
    recursive: options.recursive ?? false,
    stdin: options.stdin,
  })
  const gathered = gather(sources)
  faults.push(...gathered.faults)
  const origin: Position = { file: inputs[0] ?? '', line: 1, column: 1, path: '' }
  const assembled = assemble(gathered, options.group, origin, faults)
  faults.push(...gathered.manifests.faults)
  const environment = {
    env: options.env ?? process.env,
    cwd,
    onRead: (file: string) => void files.push(resolve(cwd, file)),
  }
  const config = conclude(assembled, gathered, environment, faults)
  const refused = faults.some((fault) => fault.severity === 'error' && fault.scope === 'file')
  return {
    ...(config && !refused ? { config } : {}),
    faults: inReadingOrder(faults, sources),
    files: [...new Set(files)],
    notes: gathered.manifests.notes,
    locate: (steps) => positionOf(assembled.tree, steps),
    unreferenced: readUnreferenced(assembled.unreferenced, origin),
  }
}

function gather(sources: readonly Source[]): Gathered {
  const gathered: Gathered = { trees: [], manifests: emptyManifests(), withheld: [], faults: [] }
  for (const source of sources) {
    const { documents, faults } = parseDocument(source.file, source.bytes)
    gathered.faults.push(...faults)
    if (documents.length === 0 && faults.length === 0 && source.explicit) {
      gathered.faults.push(wholeFile(source.file, 'the file is empty', `expected ${RECOGNISED}`))
    }
    for (const document of documents) read(document, source, gathered)
  }
  return gathered
}

function read(document: Located, source: Source, gathered: Gathered): void {
  const dialect = recognise(document, source.explicit)
  if (dialect === undefined || document.kind !== 'map') {
    const complain = source.explicit ? fileError : warning
    gathered.faults.push(complain(document.at, 'not recognised as a configuration', `expected ${RECOGNISED}`))
    return
  }
  switch (dialect) {
    case 'manifest':
      collect(gathered.manifests, document)
      return
    case 'client': {
      const { tree, faults, withheld } = readClientFile(document)
      gathered.trees.push(tree)
      gathered.faults.push(...faults)
      gathered.withheld.push(...withheld)
      return
    }
    case 'vmcp':
    case 'snake-case': {
      const { tree, faults } = dialect === 'vmcp' ? readVmcp(document) : readSnakeCase(document)
      gathered.trees.push(tree)
      gathered.faults.push(...faults)
    }
  }
}

interface Assembled {
  tree: LocatedMap
  /** Names of all backends; undefined when some may come from elsewhere. */
  names: string[] | undefined
  /** Definitions of composite tools that nothing refers to. */
  unreferenced: readonly LocatedMap[]
}

/** Joins everything into one tree in the shape of the schema. */
function assemble(
  { trees, manifests }: Gathered,
  group: string | undefined,
  origin: Position,
  faults: Fault[],
): Assembled {
  const groupRefs = trees.flatMap((tree) => refName(get(tree, 'groupRef')) ?? [])
  const [groupRef] = groupRefs
  const wanted: Wanted = {
    ...(group === undefined ? {} : { group }),
    ...(groupRef === undefined ? {} : { groupRef }),
    ...(trees.some((tree) => get(tree, 'backends') !== undefined) && {
      backendsElsewhere: trees.flatMap(backendNamesIn),
    }),
  }
  if (
    group !== undefined &&
    manifests.objects.length === 0 &&
    !groupRefs.some((reference) => reference.name === group)
  ) {
    faults.push(fileError(origin, `the group "${group}" is not among the files`))
  }
  const fromManifests = readManifests(manifests, wanted)
  const merged = merge([...trees, ...(fromManifests ? [fromManifests.tree] : [])], origin)
  faults.push(...merged.faults)
  applyToolConfigs(merged.tree, manifests, fromManifests?.members ?? [])
  const unreferenced = resolveCompositeTools(merged.tree, manifests)
  faults.push(...respellCompositeTools(merged.tree))
  const discovered = get(merged.tree, 'backends') === undefined && get(merged.tree, 'groupRef') !== undefined
  const incomplete = fromManifests === undefined && manifests.objects.length > 0
  const names = discovered || incomplete ? undefined : backendNamesIn(merged.tree)
  return { tree: merged.tree, names, unreferenced }
}

function conclude(
  { tree, names }: Assembled,
  gathered: Gathered,
  environment: Environment,
  faults: Fault[],
): GatewayConfig | undefined {
  const shape = validate(tree)
  faults.push(...shape.faults, ...duplicateBackends(tree))
  if (!shape.shaped) return undefined
  const { root, value: authored } = shape.shaped
  const lost = new Set([...tree.entries.keys()].filter((section) => !root.entries.has(section)))
  const { config: value, faults: unresolved } = expandFileValues(root, authored, environment)
  const found = check(root, value, names, lost)
  const withheld = [...gathered.withheld, ...gathered.manifests.withheld]
  const { incomingAuth, faults: incomingFaults } = resolveIncoming(root, value, environment)
  const callers = { incomingAuth, publicUrl: publicUrlOf(value) }
  const unclear = lost.has('incomingAuth') || lost.has('publicUrl')
  const { backends, faults: backendFaults } = resolveBackends(root, value, withheld, environment, {
    ...callers,
    unclear,
  })
  const { keys, faults: keyFaults } = sealingKeys(root, value, environment.env)
  const config = gatewayConfig(root, value, { backends, sealingKeys: keys, ...callers, cwd: environment.cwd })
  found.push(...incomingFaults, ...keyFaults)
  const places = new Set(found.filter(({ severity }) => severity === 'error').map(placeOf))
  found.push(...namedFiles(root, value, config, environment).filter((fault) => !places.has(placeOf(fault))))
  // Beside faults of the shape a warning may only be their echo, as is whatever else is wrong with what is unresolved.
  const echoes = new Set(unresolved.map(placeOf))
  const told = found.filter(
    (fault) => !echoes.has(placeOf(fault)) && (fault.severity === 'error' || shape.faults.length === 0),
  )
  faults.push(...unresolved, ...told, ...backendFaults)
  if (backends.length === 0 && !faults.some((fault) => fault.severity === 'error')) {
    const hint =
      config.mode === 'dynamic' ? 'members of a group are discovered only in a cluster' : 'add some under backends'
    faults.push(warning({ ...tree.at, path: '' }, 'there are no backends', hint))
  }
  return config
}

const placeOf = ({ file, line, column }: Fault): string => `${file}:${line}:${column}`

function inReadingOrder(faults: readonly Fault[], sources: readonly Source[]): Fault[] {
  const order = new Map(sources.map((source, index) => [source.file, index]))
  const place = (fault: Fault) => order.get(fault.file) ?? -1
  return [...faults].sort((a, b) => place(a) - place(b) || a.line - b.line || a.column - b.column)
}
