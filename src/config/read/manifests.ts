import { fileError, warning } from '../faults.ts'
import { literalTree } from '../file-values.ts'
import { suggest } from '../../model/nearest.ts'
import { get, getItems, getString, list, type LocatedMap, map, type Position, put, scalar } from '../positions.ts'
import { groupOf, MEMBER_KINDS, readMember } from './manifests/members.ts'
import {
  dangling,
  find,
  type ManifestObject,
  type Manifests,
  ofKind,
  refName,
  sameNamespace,
} from './manifests/objects.ts'
import { readOutgoingAuth } from './manifests/outgoing-auth.ts'
import { readVirtualServer } from './manifests/virtual-server.ts'

export { applyToolConfigs } from './manifests/tool-config.ts'
export { collect, emptyManifests, type ManifestObject, type Manifests } from './manifests/objects.ts'

/** Which group was asked for: `--group`, or `groupRef` of a vmcp file among the same inputs. */
export interface Wanted {
  group?: string
  groupRef?: { name: string; at: Position }
  /** Names of the backends that other files list, if one does: its group need not be among the manifests then. */
  backendsElsewhere?: readonly string[]
}

/** Whose members are served. `everything`: the files know no groups. `nothing`: the backends stand elsewhere. */
type Choice =
  | { kind: 'group'; group: ManifestObject; server: ManifestObject | undefined }
  | { kind: 'everything' }
  | { kind: 'nothing' }

type Named = { kind: 'named'; name: string; at: Position }

/**
 * Reads the manifests of all files as one configuration: a group selects the backends, a VirtualMCPServer supplies
 * the options. Undefined when nothing among them is for this gateway.
 */
export function readManifests(
  manifests: Manifests,
  wanted: Wanted,
): { tree: LocatedMap; members: ManifestObject[] } | undefined {
  const [first] = manifests.objects
  if (!first) return undefined
  const choice = choose(manifests, wanted, first)
  if (!choice) return undefined
  const members = membersOf(manifests, choice)
  const names = members.map((member) => member.name)
  const group = choice.kind === 'group' ? choice.group : undefined
  const server = choice.kind === 'group' ? choice.server : undefined
  const tree = server
    ? readVirtualServer(manifests, server, [...names, ...(wanted.backendsElsewhere ?? [])])
    : map(first.root.at)
  if (group && !server && !wanted.groupRef) put(tree, 'groupRef', scalar(group.name, group.at))
  const configured = getItems(tree, 'backends')
  const backends = members.map((member) => readMember(manifests, member))
  put(tree, 'backends', list([...configured, ...backends], group?.at ?? first.at))
  const outgoing = readOutgoingAuth(manifests, server, members)
  if (outgoing) put(tree, 'outgoingAuth', outgoing)
  return { tree: literalTree(tree), members }
}

function choose(manifests: Manifests, wanted: Wanted, first: ManifestObject): Choice | undefined {
  const servers = ofKind(manifests, 'VirtualMCPServer')
  const groups = ofKind(manifests, 'MCPGroup')
  for (const server of servers) {
    if (!groupOf(server)) {
      const at = get(server.spec, 'groupRef')?.at ?? server.spec.at
      manifests.faults.push(fileError(at, 'VirtualMCPServer without spec.groupRef.name'))
    }
  }
  const name = groupName(manifests, wanted, servers, groups, first)
  if (name?.kind !== 'named') return name
  const candidates = servers.filter((server) => groupOf(server)?.name === name.name)
  const [server, second] = candidates
  if (second) {
    const all = candidates.map((one) => `"${one.name}"`).join(', ')
    manifests.faults.push(
      fileError(
        second.at,
        `several VirtualMCPServers use the group "${name.name}": ${all}`,
        'serve the files of one of them',
      ),
    )
    return undefined
  }
  const group = find(manifests, 'MCPGroup', name.name, server?.namespace, true)
  if (!group) {
    const fault = dangling(manifests, 'MCPGroup', name.name, name.at)
    manifests.faults.push({ ...fault, message: `the group "${name.name}" is not among the files` })
    return undefined
  }
  if (server && !sameNamespace(group.namespace, server.namespace)) {
    const message = `the group "${group.name}" is in the namespace "${group.namespace}", its VirtualMCPServer in "${server.namespace}"`
    manifests.faults.push(warning(name.at, message, 'a cluster would not find it'))
  }
  return { kind: 'group', group, server }
}

/** The name of the group to serve; undefined after a fault. */
function groupName(
  manifests: Manifests,
  wanted: Wanted,
  servers: readonly ManifestObject[],
  groups: readonly ManifestObject[],
  first: ManifestObject,
): Named | { kind: 'everything' } | { kind: 'nothing' } | undefined {
  if (wanted.group !== undefined) return { kind: 'named', name: wanted.group, at: { ...first.root.at, path: '' } }
  const members = MEMBER_KINDS.flatMap((kind) => ofKind(manifests, kind))
  const named = servers.flatMap((server) => groupOf(server) ?? [])
  const { groupRef } = wanted
  if (named.length === 0 && groupRef && !groups.some((group) => group.name === groupRef.name)) {
    const elsewhere = wanted.backendsElsewhere !== undefined || (groups.length === 0 && members.length === 0)
    return elsewhere ? { kind: 'nothing' } : { kind: 'named', ...groupRef }
  }
  const choices = named.length > 0 ? named : groupRef ? [groupRef] : groups.map(({ name, at }) => ({ name, at }))
  const distinct = [...new Map(choices.map((choice) => [choice.name, choice])).values()]
  const [only, second] = distinct
  if (second) {
    const all = distinct.map((choice) => `"${choice.name}"`).join(', ')
    manifests.faults.push(fileError(second.at, `several groups: ${all}`, 'choose one with --group NAME'))
    return undefined
  }
  const declared = only ?? members.map(groupOf).find((reference) => reference !== undefined)
  return declared ? { kind: 'named', ...declared } : { kind: 'everything' }
}

function membersOf(manifests: Manifests, choice: Choice): ManifestObject[] {
  const all = MEMBER_KINDS.flatMap((kind) => ofKind(manifests, kind))
  if (choice.kind === 'nothing') return []
  if (choice.kind === 'everything') return all
  const groups = ofKind(manifests, 'MCPGroup').map((group) => group.name)
  for (const object of all) {
    const reference = groupOf(object)
    if (!reference || groups.includes(reference.name)) continue
    const message = `the group "${reference.name}" is not among the files`
    manifests.faults.push(fileError(reference.at, message, suggest(reference.name, groups)))
  }
  const { group } = choice
  return all.filter(
    (object) => groupOf(object)?.name === group.name && sameNamespace(object.namespace, group.namespace),
  )
}

const DEFINITION = 'VirtualMCPCompositeToolDefinition'

/**
 * Puts the definitions that `compositeToolRefs` names behind the inline ones; where nothing can refer to any, all of them are
 * meant. A reference may leave its namespace. Returns those that nobody refers to.
 */
export function resolveCompositeTools(tree: LocatedMap, manifests: Manifests): LocatedMap[] {
  const all = ofKind(manifests, DEFINITION)
  const refers = tree.entries.has('compositeToolRefs') || ofKind(manifests, 'VirtualMCPServer').length > 0
  const meant = refers ? referredTo(tree, manifests) : all
  const inline = get(tree, 'compositeTools')
  const tools = [...getItems(tree, 'compositeTools'), ...meant.map(({ spec }) => spec)]
  const at = tools[0]?.at
  if (at && (!inline || inline.kind === 'list')) {
    put(tree, 'compositeTools', list(tools, inline?.at ?? at), tree.entries.get('compositeTools')?.at ?? at)
  }
  return all.filter((definition) => !meant.includes(definition)).map(({ spec }) => spec)
}

function referredTo(tree: LocatedMap, manifests: Manifests): ManifestObject[] {
  return getItems(tree, 'compositeToolRefs').flatMap((item) => {
    const reference = refName(item)
    if (!reference) return []
    const namespace = getString(item, 'namespace')
    const definition = find(manifests, DEFINITION, reference.name, namespace, namespace === undefined)
    if (!definition) manifests.faults.push(dangling(manifests, DEFINITION, reference.name, reference.at))
    return definition ?? []
  })
}
