/** What policies may talk about (contract, section 6). */

export type ActionName = 'call_tool' | 'read_resource' | 'get_prompt'
export type TargetKind = 'tool' | 'resource' | 'template' | 'prompt'
type EntityType = 'Tool' | 'Resource' | 'Prompt'

interface ActionRow {
  entity: EntityType
  /** `resource.operation` */
  operation: string
  /** `resource.feature` */
  feature: string
}

export const ACTIONS: Readonly<Record<ActionName, ActionRow>> = {
  call_tool: { entity: 'Tool', operation: 'call', feature: 'tool' },
  read_resource: { entity: 'Resource', operation: 'read', feature: 'resource' },
  get_prompt: { entity: 'Prompt', operation: 'get', feature: 'prompt' },
}
export const ACTION_NAMES = Object.keys(ACTIONS) as ActionName[]

export const ACTION_OF: Readonly<Record<TargetKind, ActionName>> = {
  tool: 'call_tool',
  resource: 'read_resource',
  template: 'read_resource',
  prompt: 'get_prompt',
}

/** Accepted, and decide nothing: lists follow what may be used. */
export const LIST_ACTIONS: readonly string[] = ['list_tools', 'list_resources', 'list_prompts']

/** Methods of the protocol, which published examples take for actions. */
export const METHODS: Readonly<Record<string, string>> = {
  'tools/call': 'call_tool',
  'resources/read': 'read_resource',
  'prompts/get': 'get_prompt',
  'tools/list': 'list_tools',
  'resources/list': 'list_resources',
  'prompts/list': 'list_prompts',
}

/** What only rules on lists name. */
export const FEATURE_TYPE = 'FeatureType'

/** Annotations of tools that are attributes of the resource, when they are there and boolean. */
export const HINTS = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const

export const RESOURCE_ATTRIBUTES = ['name', 'operation', 'feature'] as const

/** `context.origin` */
export const ORIGINS = ['client', 'workflow'] as const

export const PRINCIPAL_TYPE = 'Client'
export const ANONYMOUS_ID = 'anonymous'
export const DEFAULT_GROUP_TYPE = 'THVGroup'
/** Types whose entities the gateway makes itself. */
export const OWN_TYPES: readonly string[] = [
  PRINCIPAL_TYPE,
  ...Object.values(ACTIONS).map(({ entity }) => entity),
  'MCP',
  'Backend',
  'Group',
  'Action',
  FEATURE_TYPE,
]
/** What others call them, in small letters. */
export const OTHER_TYPE_NAMES: Readonly<Record<string, string>> = {
  user: PRINCIPAL_TYPE,
  usr: PRINCIPAL_TYPE,
  person: PRINCIPAL_TYPE,
  principal: PRINCIPAL_TYPE,
  subject: PRINCIPAL_TYPE,
  account: PRINCIPAL_TYPE,
  agent: PRINCIPAL_TYPE,
  server: 'Backend',
  workload: 'Backend',
  function: 'Tool',
  file: 'Resource',
  mcpgroup: 'Group',
}

/** Claims that may list the groups, in this order; the first that is a list counts. */
export const GROUP_CLAIMS = ['groups', 'roles', 'cognito:groups']

export const CLAIM = 'claim_'
export const ARGUMENT = 'arg_'
export const PRESENT = '_present'
