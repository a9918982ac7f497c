import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { EventName, Events, Listener } from '../../telemetry/events.ts'
import { UNSEALED } from '../../telemetry/log.ts'
import { count, paintFor, plain, print } from '../terminal.ts'

/** A subscriber that shows people what they need to know, and which events those are. */
export function banner(config: GatewayConfig): { show: Listener; shows: (name: EventName) => boolean } {
  const paint = paintFor(process.stdout)
  const live = config.backends.filter(({ disabled }) => !disabled)
  const width = Math.max(0, ...live.map(({ id }) => id.length))
  let announced = ''

  const sentences: { [Name in EventName]?: (data: Events[Name]) => void } = {
    'gateway.listening': ({ url, name }) => {
      print(`${paint.bold(name)} listens at ${paint.bold(url)}\n`)
      print(connectText(url))
      if (config.incomingAuth.type === 'local') {
        print('  each with the header "Authorization: Bearer TOKEN" (claude: --header "Authorization: Bearer TOKEN")')
      }
      print(`\n${count(live.length, 'backend')}:`)
    },
    'local.token': ({ file, exposed, token }) => {
      if (token) print(`clients must show this token, which is not printed again: ${paint.bold(token.reveal())}`)
      if (file !== undefined) print(`the token is kept in ${plain(file)}`)
      if (exposed) print(paint.warn('others on this machine can read that file: chmod 600 it'))
    },
    'gateway.unsealed': () => print(paint.dim(`  ${UNSEALED}`)),
    'backend.ready': (b) => {
      const what = [count(b.tools, 'tool'), count(b.resources, 'resource'), count(b.prompts, 'prompt')].join(', ')
      print(
        `  ${paint.good('ready')}  ${b.backend.padEnd(width)}  ${b.transport}  ${b.revision}  ${what}  ${Math.round(b.ms)} ms`,
      )
    },
    'backend.personal': ({ backend, transport, page, ms }) => {
      print(
        `  ${paint.good('ready')}  ${backend.padEnd(width)}  ${transport}  for those who sign in  ${Math.round(ms)} ms`,
      )
      if (page !== undefined) print(`         ${''.padEnd(width)}sign in at ${page.reveal()}`)
    },
    'backend.failing': ({ backend, transport, fault, retryInMs }) => {
      const hint = fault.hint === undefined ? '' : ` (${fault.hint})`
      const words = fault.detail === undefined ? '' : `; it wrote: ${plain(fault.detail)}`
      const retry = retryInMs === undefined ? '' : paint.dim('  trying again')
      print(
        `  ${paint.bad('away ')}  ${backend.padEnd(width)}  ${transport}  ${plain(fault.message)}${hint}${words}${retry}`,
      )
    },
    'catalogue.changed': (c) => {
      if (c.pending > 0) return
      const what = [count(c.tools, 'tool'), count(c.resources, 'resource'), count(c.prompts, 'prompt')].join(', ')
      const text = `catalogue: ${what}, about ${c.tokens} tokens in a client's context`
      if (text !== announced) print(text)
      announced = text
    },
    'definition.restored': ({ backend, kind, name }) => {
      print(`  ${paint.good('back ')}  ${backend.padEnd(width)}  ${kind} ${plain(name)} is as the lock says again`)
    },
    'gateway.stopping': ({ reason }) => print(`\nstopping (${reason})`),
    'config.reloaded': ({ backends, kept }) =>
      print(`configuration reloaded: ${count(backends, 'backend')}, ${kept} kept as they are`),
  }

  return {
    show: (name, data) => (sentences[name] as ((data: unknown) => void) | undefined)?.(data),
    shows: (name) => sentences[name] !== undefined,
  }
}

/** The exact lines that connect the usual clients. */
function connectText(url: string): string {
  const vscode = JSON.stringify({ name: 'vmcp', type: 'http', url })
  const cursor = JSON.stringify({ mcpServers: { vmcp: { url } } })
  return [
    'Connect a client:',
    `  Claude    claude mcp add --transport http vmcp ${url}`,
    `  VS Code   code --add-mcp '${vscode}'`,
    `  Cursor    ~/.cursor/mcp.json: ${cursor}`,
  ].join('\n')
}
