import type { AddressInfo } from 'node:net'
import { listening, urlOf } from './world.ts'

/** A server that answers as no issuer should, and another one that nobody has a reason to ask. */
export interface Trap {
  port: number
  canaryPort: number
  /** What the other one was asked. */
  canary: string[]
  close(): void
}

export async function startTrap(): Promise<Trap> {
  const asked: string[] = []
  const canary = await listening((req, res) => {
    asked.push(req.url ?? '')
    res.end('{"keys":[]}')
  })
  const open = new Set<NodeJS.Timeout>()
  const trap = await listening((req, res) => {
    const to = (location: string) => res.writeHead(302, { location }).end()
    const again = (ms: number, work: () => void) => {
      const timer = setInterval(work, ms)
      open.add(timer)
      res.on('close', () => clearInterval(timer))
    }
    switch (`/${req.url?.split('/')[1]}`) {
      case '/redirects-to-metadata':
        return to('http://169.254.169.254/latest/meta-data/')
      case '/redirects-to-the-canary':
        return to(`${urlOf(canary)}/keys`)
      case '/redirects-without-end':
        return to('/redirects-without-end')
      case '/redirects-to-a-file':
        return to('file:///etc/passwd')
      case '/sends-without-end':
        res.writeHead(200, { 'content-type': 'application/json' })
        return again(1, () => res.write('x'.repeat(65_536)))
      case '/announces-too-much':
        return res.writeHead(200, { 'content-length': '9999999999' }).write('{')
      case '/compresses':
        return res.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.from([0x1f, 0x8b]))
      case '/sends-a-page':
        return res.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
      case '/fails':
        return res.writeHead(500).end('{"keys":[]}')
      case '/hangs-up':
        return req.socket.destroy()
      case '/sends-drop-by-drop':
        res.writeHead(200)
        return again(100, () => res.write(' '))
      default:
        return undefined
    }
  })
  const servers = [canary, trap]
  const portOf = (server: (typeof servers)[number]) => (server.address() as AddressInfo).port
  return {
    port: portOf(trap),
    canaryPort: portOf(canary),
    canary: asked,
    close() {
      for (const timer of open) clearInterval(timer)
      for (const server of servers) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
}
