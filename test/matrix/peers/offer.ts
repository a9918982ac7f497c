/** What every backend of the matrix offers, whichever SDK and era it is made of, and what it asks. */

/** Tools by what they do. */
const PURPOSES = {
  echo: 'Tells its arguments',
  'ask-form': 'Asks the user a form and tells the answer',
  'ask-url': 'Asks the user to visit a link and tells the answer',
  'need-url': 'Cannot work before the user has visited a link for `key`',
  'ask-together': 'Asks two things at once and tells both answers',
  'ask-twice': 'Asks a form, then another one, and reports progress in between',
  sample: 'Asks the model and tells the answer',
  'list-roots': 'Tells the roots',
  declared: 'Tells the capabilities of the client',
  progress: 'Reports progress three times',
  log: 'Logs one line at each of four levels',
  'log-later': 'Logs a line that belongs to no request',
  linger: 'Reports progress, pauses, and reports it again',
  labour: 'Runs only as a task, where there are tasks',
  toil: 'Answers with a task of the extension',
  wait: 'Runs until it is cancelled, under the name `key`',
  recall: 'Tells what is known of `key`',
  touch: 'Changes the resource `uri`',
  change: 'Adds the tool `key`',
  unsolicited: 'Asks the user without a call',
  count: 'Counts how often it was called on this connection',
} as const

export type ToolName = keyof typeof PURPOSES

export const TOOLS = Object.entries(PURPOSES).map(([name, description]) => toolNamed(name, description))
/** The same for a server of 2025-11-25. */
export const LEGACY_TOOLS = TOOLS.map((tool) =>
  tool.name === 'labour' ? { ...tool, execution: { taskSupport: 'required' as const } } : tool,
)

export function toolNamed(name: string, description = 'Came later') {
  const text = { type: 'string' as const }
  return { name, description, inputSchema: { type: 'object' as const, properties: { key: text, uri: text } } }
}

/** URIs are not rewritten: those of two backends must differ. */
export const resourcesOf = (backend: string) =>
  ['one', 'two'].map((name) => ({ uri: `matrix://${backend}/${name}`, name }))

export const PROMPTS = [
  { name: 'greet', description: 'Greets', arguments: [{ name: 'who', description: 'Whom', required: true }] },
]
export const greeting = (who = '') => ({
  description: 'A greeting',
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text: `Good morning, ${who}` } }],
})

export const templatesOf = (backend: string) => [{ uriTemplate: `matrix://${backend}/{id}`, name: 'any' }]
export const contentsOf = (uri: string) => ({ contents: [{ uri, mimeType: 'text/plain', text: `all of ${uri}` }] })

/** What may stand for an argument: tells what the server was asked. */
export const completionOf = (params: { ref: object; argument: object; context?: object | undefined }) => ({
  completion: { values: [JSON.stringify(params)], total: 1, hasMore: false },
})

/** A method that is nobody else's. */
export const vendorMethodOf = (backend: string) => `acme/${backend}`

export const SKILLS = 'io.modelcontextprotocol/skills'
export const TASKS = 'io.modelcontextprotocol/tasks'

export const skillOf = (backend: string) => ({
  uri: `skill://${backend}/SKILL.md`,
  frontmatter: { name: backend, description: 'A skill' },
  resources: [{ uri: `skill://${backend}/SKILL.md`, digest: 'sha256:0', size: 1 }],
})

export const FORM = {
  message: 'Who is asking, and how often?',
  requestedSchema: {
    type: 'object' as const,
    properties: {
      name: { type: 'string' as const, title: 'Name', minLength: 1 },
      times: { type: 'integer' as const, minimum: 0, default: 3 },
      colour: {
        type: 'string' as const,
        oneOf: [
          { const: 'r', title: 'Red' },
          { const: 'g', title: 'Green' },
        ],
      },
    },
    required: ['name'],
  },
}

export const SECOND_FORM = {
  message: 'Really?',
  requestedSchema: { type: 'object' as const, properties: { sure: { type: 'boolean' as const } } },
}

export const LINK = { message: 'Please connect your account', url: 'https://id.example/connect?flow=7&x=%20' }
export const LINK_ID = 'elicitation-of-the-backend'

export const SAMPLING = {
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text: 'What is the weather in Bern?' } }],
  systemPrompt: 'Be brief.',
  maxTokens: 321,
  temperature: 0.5,
  tools: [
    {
      name: 'weather',
      description: 'Tells the weather',
      inputSchema: { type: 'object' as const, properties: { city: { type: 'string' as const } } },
    },
  ],
  toolChoice: { mode: 'required' as const },
}

export const LEVELS = ['debug', 'info', 'warning', 'error'] as const
export const LOGGER = 'matrix'
/** The data of the line at a level. */
export const lineAt = (level: string) => ({ said: `a line at ${level}` })
export const UNATTRIBUTED = { said: 'a line of nobody' }

export const LINGER_MS = 400

export const STEPS = [1, 2, 3].map((progress) => ({ progress, total: 3, message: `step ${progress}` }))

export const text = (value: unknown) => ({ content: [{ type: 'text' as const, text: JSON.stringify(value) }] })
