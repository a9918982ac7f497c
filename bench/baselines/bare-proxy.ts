/**
 * The floor: the cheapest proxy that Node can be, and still a correct one. Headers stay flat arrays in both
 * directions, an answer that arrives in one piece is written in one piece, nothing is parsed, and no
 * closure is made per request. `node bench/baselines/bare-proxy.ts http://127.0.0.1:PORT/mcp`
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { argv, nextTick, stdout } from 'node:process'

import { Pool, type Dispatcher } from 'undici'

const upstream = new URL(argv[2] ?? '')
const pool = new Pool(upstream.origin, { connections: 2_000, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
/** Each hop has its own of these (RFC 9110, 7.6.1); `host` and `content-length` are set anew. */
const OWN = new Set(['connection', 'keep-alive', 'host', 'content-length', 'transfer-encoding', 'upgrade', 'te'])

/** Listeners are shared by all requests and find theirs here. */
const FORWARD = Symbol('forward')
type Incoming = IncomingMessage & { [FORWARD]?: Forward }
type Outgoing = ServerResponse & { [FORWARD]?: Forward }

class Forward implements Dispatcher.DispatchHandler {
  readonly #request: Incoming
  readonly #response: Outgoing
  #body: Buffer | undefined
  #controller: Dispatcher.DispatchController | undefined
  #closed = false
  /** The first piece waits until the end of this turn: mostly it is the whole answer. */
  #first: Buffer | undefined
  #started = false

  constructor(request: Incoming, response: Outgoing) {
    this.#request = request
    this.#response = response
    response[FORWARD] = this
  }

  receive(chunk: Buffer): void {
    this.#body = this.#body ? Buffer.concat([this.#body, chunk]) : chunk
  }

  send(): void {
    const headers = this.#request.rawHeaders
    const sent: string[] = []
    for (let i = 0; i < headers.length; i += 2) {
      if (!OWN.has(headers[i]!.toLowerCase())) sent.push(headers[i]!, headers[i + 1]!)
    }
    const method = this.#request.method as Dispatcher.HttpMethod
    pool.dispatch({ path: upstream.pathname, method, headers: sent, body: this.#body ?? null }, this)
  }

  close(): void {
    this.#closed = true
    if (!this.#response.writableFinished) this.#controller?.abort(new Error('the client went away'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#closed) controller.abort(new Error('the client went away'))
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    const raw = controller.rawHeaders as Buffer[]
    const headers: string[] = []
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]!.toString('latin1')
      const lower = name.toLowerCase()
      // A length may stay: the body is passed on as it is.
      if (lower === 'content-length' || !OWN.has(lower)) headers.push(name, raw[i + 1]!.toString('latin1'))
    }
    this.#response.writeHead(status, headers)
    // A stream may stay silent for long; its head must not wait for the first event.
    nextTick(flushHead, this)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#started && this.#first === undefined) {
      this.#first = chunk
      return
    }
    this.flush()
    if (!this.#response.write(chunk)) {
      controller.pause()
      this.#response.once('drain', () => controller.resume())
    }
  }

  onResponseEnd(): void {
    this.#response.end(this.#first)
    this.#first = undefined
    this.#started = true
  }

  onResponseError(_: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#response.headersSent || this.#closed) this.#response.destroy(error)
    else this.#response.writeHead(502).end()
  }

  flush(): void {
    const first = this.#first
    if (this.#started) return
    this.#started = true
    this.#first = undefined
    if (first) this.#response.write(first)
    else this.#response.flushHeaders()
  }
}

function flushHead(forward: Forward): void {
  forward.flush()
}

function onData(this: Incoming, chunk: Buffer): void {
  this[FORWARD]?.receive(chunk)
}

function onEnd(this: Incoming): void {
  this[FORWARD]?.send()
}

function onClose(this: Outgoing): void {
  this[FORWARD]?.close()
}

const server = createServer((request: Incoming, response: Outgoing) => {
  request[FORWARD] = new Forward(request, response)
  request.on('data', onData)
  request.on('end', onEnd)
  response.on('close', onClose)
})
server.keepAliveTimeout = 120_000
server.listen(0, '127.0.0.1', () => {
  stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp\n`)
})
