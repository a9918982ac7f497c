import type { NativeLists } from './backend.ts'
import type { BackendId } from './ids.ts'
import type { JsonObject } from './json.ts'

/** No text that a backend sends can have this mark. */
const OURS = Symbol('sign-in')

/**
 * What a backend offers to those who have to sign in there first: what it offers to everybody, and a tool of ours that
 * sends its caller to the page. Clients call what is listed: without it nobody would find the way.
 */
export function withSignIn(backend: BackendId, lists: NativeLists | undefined): NativeLists {
  const { tools = [], ...rest } = lists ?? { prompts: [], resources: [], templates: [] }
  return { ...rest, tools: [...tools, signInTool(backend)] }
}

/** Whether a definition, under whatever name it is shown, is that of such a tool. */
export function isSignInTool(definition: JsonObject): boolean {
  return OURS in definition
}

function signInTool(backend: BackendId): JsonObject {
  const tool: JsonObject & { [OURS]?: true } = {
    name: 'sign_in',
    title: `Sign in to ${backend}`,
    description: `The tools of "${backend}" are there once the user has signed in. This tool sends the user to the sign-in.`,
    inputSchema: { type: 'object', properties: {} },
    annotations: { readOnlyHint: true, openWorldHint: false },
  }
  tool[OURS] = true
  return tool
}
