import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { listPage } from '../../src/gateway/face/answering/lists.ts'
import { matchesTemplate } from '../../src/gateway/catalogue/templates.ts'
import type { Catalogue, BackendEntry, ListKind, Visibility } from '../../src/model/catalogue.ts'
import { backendId, type NativeName, type ShownName } from '../../src/model/ids.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { isDeep } from '../../src/model/json.ts'
import { decodeHeaderValue, encodeHeaderValue } from '../../src/protocol/headers.ts'
import { parseJson } from '../../src/protocol/json.ts'
import { parseMessage } from '../../src/protocol/jsonrpc.ts'
import { LineReader } from '../../src/protocol/lines.ts'
import { Sealer } from '../../src/protocol/sealed.ts'
import { IdSplicer } from '../../src/protocol/splice.ts'
import { SseReader, sseMessage, type SseEvent } from '../../src/protocol/sse.ts'

const NO_LIMIT = 2 ** 30

/** Every way to cut bytes once, and every byte alone. */
function* cuts(bytes: Buffer): Generator<Buffer[]> {
  for (let at = 0; at <= bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)]
  yield [...bytes].map((byte) => Buffer.from([byte]))
}

const chopped = (bytes: Buffer, sizes: readonly number[]): Buffer[] => {
  const parts: Buffer[] = []
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    parts.push(bytes.subarray(at, at + size))
    at += size
  }
  return parts
}

const chunkSizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 })

describe('event streams', () => {
  /** The standard's algorithm on the whole text. */
  function reference(bytes: Buffer): SseEvent[] {
    const text = bytes.toString('utf8').replace(/^\uFEFF/, '')
    const lines = text.split(/\r\n|\n|\r/)
    lines.pop()
    const events: SseEvent[] = []
    let event = ''
    let data: string[] = []
    let id: string | undefined
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) events.push({ event: event || 'message', data: data.join('\n'), id })
        event = ''
        data = []
        id = undefined
      } else if (!line.startsWith(':')) {
        const [, field, value = ''] = /^([^:]*)(?:: ?([^]*))?$/.exec(line) ?? []
        if (field === 'data') data.push(value)
        else if (field === 'event') event = value
        else if (field === 'id' && !value.includes('\0')) id = value
      }
    }
    return events
  }

  function read(parts: Iterable<Buffer>): SseEvent[] {
    const events: SseEvent[] = []
    const reader = new SseReader(
      (event) => events.push(event),
      () => expect.unreachable(),
      NO_LIMIT,
    )
    for (const part of parts) reader.push(part)
    return events
  }

  const lineBreak = fc.constantFrom('\n', '\r', '\r\n')
  const piece = fc.oneof(
    lineBreak,
    lineBreak,
    fc.constantFrom(
      'data:',
      'data: ',
      'data',
      'event:',
      'event: x',
      'id: 7',
      'id',
      'id: \0',
      ':',
      ': keep',
      'retry: 1',
    ),
    fc.constantFrom('{"a":1}', 'ä', '😀', '\uFEFF', ' ', '  ', ':', '\u2028', '\u0085', '\0', 'datax', 'Data: x'),
  )
  const stream = fc
    .tuple(fc.constantFrom('', '\uFEFF'), fc.array(piece, { maxLength: 40 }))
    .map(([mark, pieces]) => Buffer.from(mark + pieces.join('')))

  test('any chunking gives the events of the standard', () => {
    fc.assert(
      fc.property(stream, chunkSizes, (bytes, sizes) => {
        expect(read(chopped(bytes, sizes))).toEqual(reference(bytes))
      }),
      { numRuns: 2000 },
    )
  })

  test.each(['\n', '\r', '\r\n'])('cut at every byte, lines ending in %j', (end) => {
    const lines = [
      '\uFEFFevent: ä',
      'data: {"😀":1}',
      ': no',
      'data:two',
      'id: 5',
      '',
      'data',
      '',
      '',
      'data: last',
      '',
    ]
    const bytes = Buffer.from(lines.map((line) => line + end).join(''))
    const events = reference(bytes)
    expect(events.map(({ data }) => data)).toEqual(['{"😀":1}\ntwo', '', 'last'])
    for (const parts of cuts(bytes)) expect(read(parts)).toEqual(events)
  })

  test('what the gateway writes is read back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.stringify(value)
        expect(read([Buffer.from(sseMessage(json))])).toEqual([{ event: 'message', data: json, id: undefined }])
      }),
    )
  })

  test('an event beyond the limit is told once and ends it, however it comes', () => {
    fc.assert(
      fc.property(fc.constantFrom('data: x\n', 'data:\n', 'x', 'event: y'), chunkSizes, (unit, sizes) => {
        let overflows = 0
        const events: SseEvent[] = []
        const reader = new SseReader(
          (event) => events.push(event),
          () => overflows++,
          100,
        )
        for (const part of chopped(Buffer.from(`${unit.repeat(400)}\n\ndata: late\n\n`), sizes)) reader.push(part)
        expect({ overflows, events }).toEqual({ overflows: 1, events: [] })
      }),
    )
  })

  test('megabytes cost time in proportion', () => {
    const bytes = Buffer.from(
      'data: x\n'.repeat(500_000) + '\n' + '\r'.repeat(1_000_000) + 'data: ' + 'y'.repeat(4_000_000),
    )
    const started = performance.now()
    read(chopped(bytes, [65_536]))
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe('lines', () => {
  function read(parts: Iterable<Buffer>): string[] {
    const lines: string[] = []
    const reader = new LineReader(
      (line) => lines.push(line),
      () => expect.unreachable(),
      NO_LIMIT,
    )
    for (const part of parts) reader.push(part)
    reader.end()
    return lines
  }
  const reference = (bytes: Buffer): string[] =>
    bytes
      .toString('utf8')
      .split('\n')
      .map((line) => line.replace(/\r$/, ''))
      .filter((line) => line !== '')

  const piece = fc.constantFrom('\n', '\r\n', '\r', 'a', '{"ä":"😀"}', '\u2028', ' ', '\uFEFF', '\0')
  const bytes = fc.array(piece, { maxLength: 60 }).map((pieces) => Buffer.from(pieces.join('')))

  test('any chunking gives the same lines', () => {
    fc.assert(
      fc.property(bytes, chunkSizes, (bytes, sizes) => {
        expect(read(chopped(bytes, sizes))).toEqual(reference(bytes))
      }),
      { numRuns: 2000 },
    )
  })

  test('cut at every byte', () => {
    const text = Buffer.from('{"a":"ä"}\r\n\n\r\n{"b":"😀"}\nlast\r')
    for (const parts of cuts(text)) expect(read(parts)).toEqual(['{"a":"ä"}', '{"b":"😀"}', 'last'])
  })

  test('a line beyond the limit is told once and passed over', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30 }), chunkSizes, (length, sizes) => {
        const lines: string[] = []
        let overflows = 0
        const reader = new LineReader(
          (line) => lines.push(line),
          () => overflows++,
          20,
        )
        for (const part of chopped(Buffer.from(`ok\n${'x'.repeat(length)}\nlate\n`), sizes)) reader.push(part)
        reader.end()
        const fits = length <= 20
        expect(overflows).toBe(fits ? 0 : 1)
        expect(lines).toEqual(['ok', ...(fits && length > 0 ? ['x'.repeat(length)] : []), 'late'])
      }),
    )
  })
})

describe('the id of a response that passes through', () => {
  const ID = 123_456_789_012_345
  const splice = (parts: Iterable<Buffer>, replacement: string): string => {
    const splicer = new IdSplicer(ID, replacement)
    const out: Buffer[] = []
    for (const part of parts) out.push(...splicer.push(part))
    out.push(...splicer.end())
    expect(splicer.done).toBe(true)
    return Buffer.concat(out).toString('utf8')
  }
  /** Everything in a result that could be taken for the member. */
  const lookAlike: JsonValue[] = [
    ID,
    String(ID),
    `"id":${ID}`,
    `\\"id\\": ${ID}`,
    { id: ID },
    { 'my "id': ID },
    { id: { id: ID } },
    [{ x: { id: ID } }],
    { a: {}, id: ID, jsonrpc: '2.0' },
    { id: [ID], error: { id: ID } },
    `},"jsonrpc":"2.0","id":${ID}}`,
  ]
  const result = fc.dictionary(
    fc.string({ maxLength: 6 }),
    fc.oneof(fc.constantFrom(...lookAlike), fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>),
    { maxKeys: 6 },
  )
  const replacement = fc.oneof(fc.integer(), fc.string(), fc.constant('x'.repeat(300))).map((id) => JSON.stringify(id))
  const orders: readonly (readonly string[])[] = [
    ['jsonrpc', 'id', 'result'],
    ['id', 'jsonrpc', 'result'],
    ['id', 'result', 'jsonrpc'],
    ['jsonrpc', 'result', 'id'],
    ['result', 'jsonrpc', 'id'],
    ['result', 'id', 'jsonrpc'],
  ]
  const envelope = (order: readonly string[], body: JsonObject): JsonObject => {
    const members: JsonObject = { jsonrpc: '2.0', id: ID, result: body }
    return Object.fromEntries(order.map((name) => [name, members[name]]))
  }
  /** As JSON holds it: there is no -0. */
  const expected = (message: JsonObject, id: string): unknown =>
    JSON.parse(JSON.stringify({ ...message, id: JSON.parse(id) as JsonValue }))

  test.each(orders.map((order) => [order.join(', '), order] as const))('%s: cut anywhere', (_name, order) => {
    const whole = envelope(order, { list: lookAlike, ä: '😀'.repeat(60) })
    for (const space of [undefined, 2, '\t']) {
      const bytes = Buffer.from(JSON.stringify(whole, null, space))
      for (const parts of cuts(bytes)) expect(JSON.parse(splice(parts, '"me"'))).toEqual(expected(whole, '"me"'))
    }
  })

  test('any result, any order, any chunking', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...orders),
        result,
        replacement,
        chunkSizes,
        fc.boolean(),
        (order, body, id, sizes, wide) => {
          const whole = envelope(order, body)
          const parts = chopped(Buffer.from(JSON.stringify(whole)), wide ? sizes.map((size) => size * 40) : sizes)
          expect(JSON.parse(splice(parts, id))).toEqual(expected(whole, id))
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('large results, with the bytes around the chunk borders of a network', () => {
    for (const order of orders) {
      for (const size of [65_535, 65_536, 70_001]) {
        const whole = envelope(order, { text: 'y'.repeat(size), list: lookAlike, more: 'z'.repeat(size) })
        const text = splice(chopped(Buffer.from(JSON.stringify(whole)), [16_384]), '7')
        expect(JSON.parse(text)).toEqual(expected(whole, '7'))
      }
    }
  })

  test('a response without the id is not touched, and says so', () => {
    fc.assert(
      fc.property(result, chunkSizes, (body, sizes) => {
        const text = JSON.stringify({ jsonrpc: '2.0', id: 5, result: body })
        const splicer = new IdSplicer(ID, '"me"')
        const out = chopped(Buffer.from(text), sizes).flatMap((part) => splicer.push(part))
        expect(Buffer.concat([...out, ...splicer.end()]).toString('utf8')).toBe(text)
        expect(splicer.done).toBe(false)
      }),
    )
  })

  test('a result full of look-alikes costs time in proportion, and no memory', () => {
    const splicer = new IdSplicer(ID, '1')
    const chunk = Buffer.from(`{"id":${ID}},`.repeat(5000))
    const started = performance.now()
    let held = 0
    splicer.push(Buffer.from('{"result":['))
    for (let i = 0; i < 40; i++) {
      const passed = splicer.push(chunk).reduce((sum, { length }) => sum + length, 0)
      held += chunk.length - passed
    }
    expect(splicer.done).toBe(false)
    expect(held).toBeLessThan(600)
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe('JSON', () => {
  /** Numbers as text, among them such that no double holds. */
  const digits = fc.stringMatching(/^\d{1,30}$/)
  const numberText = fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.stringMatching(/^(0|[1-9]\d{0,24})$/),
      fc.option(digits),
      fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), fc.stringMatching(/^\d{1,3}$/))),
    )
    .map(([sign, whole, fraction, exponent]) => {
      const tail = (fraction === null ? '' : `.${fraction}`) + (exponent === null ? '' : exponent.join(''))
      return `${sign}${whole}${tail}`
    })

  /** The number as digits and a power of ten, without trailing zeros: equal for equal numbers. */
  function exact(text: string): string {
    const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
    const [whole = '', fraction = ''] = mantissa.split('.')
    let value = BigInt(whole + fraction)
    let power = BigInt(exponent) - BigInt(fraction.length)
    if (value === 0n) return '0'
    for (; value % 10n === 0n; value /= 10n) power++
    return `${value}e${power}`
  }

  test('every number keeps its value, wherever it stands', () => {
    const frames = ['%', '[%]', '{"a":%}', '[1,%,2]', '{"a":[{"b": %}]}', '[\n%\t]', '{"id":1,"x":%,"s":"1e5"}']
    fc.assert(
      fc.property(numberText, fc.constantFrom(...frames), (number, frame) => {
        const written = JSON.stringify(parseJson(frame.replace('%', number)))
        const [before = '', after = ''] = JSON.stringify(JSON.parse(frame.replace('%', '"%"'))).split('"%"')
        expect(written.startsWith(before) && written.endsWith(after)).toBe(true)
        expect(exact(written.slice(before.length, written.length - after.length))).toBe(exact(number))
      }),
      { numRuns: 5000 },
    )
  })

  test('what JavaScript holds is what JSON.parse gives', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => {
        expect(parseJson(text)).toEqual(JSON.parse(text))
      }),
      { numRuns: 1000 },
    )
    const odd = '{"__proto__":{"a":1e5},"constructor":1.0,"":[],"a":1e400,"a":2}'
    expect(JSON.stringify(parseJson(odd))).toBe('{"__proto__":{"a":100000},"constructor":1,"":[],"a":2}')
  })

  test('what JSON.parse refuses is refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json().map((text) => `${text}1e400,`),
        ),
        (text) => {
          let valid = true
          try {
            JSON.parse(text)
          } catch {
            valid = false
          }
          if (valid) expect(parseJson(text)).toEqual(JSON.parse(text))
          else expect(() => parseJson(text)).toThrow(SyntaxError)
        },
      ),
    )
  })

  const MEGA = 4_000_000
  test.each([
    ['zeros', `[0.${'0'.repeat(MEGA)}1]`],
    ['zeros and a digit', `[1${'0'.repeat(MEGA)}1]`],
    ['nines', `[${'9'.repeat(MEGA)}]`],
    ['a long exponent', `[1e${'9'.repeat(MEGA)}]`],
    ['many numbers', `[${'0.1,'.repeat(MEGA / 4)}1e400]`],
    ['digits and dots in a string', `["${':1.1.1.1'.repeat(MEGA / 8)}"]`],
    ['minus signs in a string', `["${':-'.repeat(MEGA / 2)}"]`],
    ['white space', `[${' '.repeat(MEGA)}1e400]`],
    ['open brackets', '['.repeat(MEGA)],
    ['nested brackets', `${'['.repeat(MEGA / 2)}${']'.repeat(MEGA / 2)}`],
    ['nested objects with a long number', `${'{"a":'.repeat(MEGA / 6)}1e400${'}'.repeat(MEGA / 6)}`],
    ['quotes', `["${'\\"'.repeat(MEGA / 2)}"]`],
  ])('megabytes of %s cost time in proportion', (_what, text) => {
    const started = performance.now()
    let kind: string
    try {
      ;({ kind } = parseMessage(text))
    } catch (error) {
      kind = (error as { code: string }).code
    }
    expect(['batch', 'invalid', 'PARSE_ERROR']).toContain(kind)
    expect(performance.now() - started).toBeLessThan(3000)
  })

  test('depth is counted exactly', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 0, max: 60 }),
        fc.boolean(),
        (depth, limit, objects) => {
          let value: JsonValue = 1
          for (let i = 0; i < depth; i++) value = objects ? { a: 0, b: value } : [0, value]
          expect(isDeep(value, limit)).toBe(depth > limit)
        },
      ),
    )
  })
})

describe('sealed tokens', () => {
  const key = (fill: number) => ({ id: String(fill), key: Buffer.alloc(32, fill) })
  const value = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>

  test('open to what was sealed, under the same binding only', () => {
    fc.assert(
      fc.property(value, fc.string(), fc.string(), (value, binding, other) => {
        const sealer = new Sealer([key(1)])
        const token = sealer.seal(value, binding)
        expect(token).toMatch(/^[\w-]+$/)
        expect(JSON.stringify(sealer.open(token, binding))).toBe(JSON.stringify(value))
        if (other !== binding && Buffer.from(other).compare(Buffer.from(binding)) !== 0) {
          expect(sealer.open(token, other)).toBeUndefined()
        }
      }),
    )
  })

  test('keys rotate: the first seals, all open, others do not', () => {
    const before = new Sealer([key(1)])
    const during = new Sealer([key(2), key(1)])
    const after = new Sealer([key(2)])
    const old = before.seal({ a: 1 }, 'b')
    const fresh = during.seal({ a: 2 }, 'b')
    expect([before, during, after].map((sealer) => sealer.open(old, 'b'))).toEqual([{ a: 1 }, { a: 1 }, undefined])
    expect([before, during, after].map((sealer) => sealer.open(fresh, 'b'))).toEqual([undefined, { a: 2 }, { a: 2 }])
    expect(new Sealer().open(new Sealer().seal(1, 'b'), 'b')).toBeUndefined()
  })

  test('no bit can be flipped, no character changed, added or left out', () => {
    const sealer = new Sealer([key(3)])
    for (const payload of ['', 'x', 'xy', 'xyz']) {
      const token = sealer.seal(payload, 'b')
      const bytes = Buffer.from(token, 'base64url')
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(sealer.open(flipped.toString('base64url'), 'b')).toBeUndefined()
      }
      for (let at = 0; at <= token.length; at++) {
        for (const char of 'AQgw_-+/=.\n') {
          if (token[at] !== char)
            expect(sealer.open(token.slice(0, at) + char + token.slice(at + 1), 'b')).toBeUndefined()
          expect(sealer.open(token.slice(0, at) + char + token.slice(at), 'b')).toBeUndefined()
        }
        if (at < token.length) expect(sealer.open(token.slice(0, at) + token.slice(at + 1), 'b')).toBeUndefined()
      }
    }
  })

  test('any other text opens to nothing', () => {
    const sealer = new Sealer()
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string({ minLength: 9000, maxLength: 9000 })), (text) => {
        expect(sealer.open(text, 'b')).toBeUndefined()
      }),
    )
  })
})

describe('header values', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((value) => value.isWellFormed())
  const tricky = fc.constantFrom(
    '',
    ' ',
    'a ',
    '\ta',
    'ä',
    '=?base64?YQ==?=',
    '=?BASE64??=',
    '=?base64?',
    'a\r\nb: c',
    '\0',
    '~',
  )

  test('what is encoded can travel in a header and comes back', () => {
    fc.assert(
      fc.property(fc.oneof(text, tricky, fc.string()), (value) => {
        const encoded = encodeHeaderValue(value)
        expect(encoded).toMatch(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/)
        expect(decodeHeaderValue(encoded)).toBe(value)
      }),
      { numRuns: 2000 },
    )
  })

  test('two values never share a spelling', () => {
    fc.assert(
      fc.property(fc.oneof(text, tricky), fc.oneof(text, tricky), (one, other) => {
        expect(encodeHeaderValue(one) === encodeHeaderValue(other)).toBe(one === other)
      }),
    )
  })

  test('whatever a client writes is read or refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((inner) => `=?base64?${inner}?=`),
        ),
        (header) => {
          const decoded = decodeHeaderValue(header)
          if (decoded !== undefined) expect(decodeHeaderValue(encodeHeaderValue(decoded))).toBe(decoded)
        },
      ),
    )
  })
})

describe('URI templates', () => {
  /** As a regular expression, which may be exponential. */
  function reference(template: string, uri: string): boolean {
    const pattern = template.replaceAll(
      /\{([+#./;?&]?)[^{}]*?(\*?)\}|[^]/g,
      (part, operator?: string, explode?: string) => {
        if (operator === undefined) return part.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
        if (operator === '+' || (operator === '' && explode === '*')) return '[^]+'
        return operator === '' ? '[^/?#]+' : `(?:\\${operator}[^]*)?`
      },
    )
    return new RegExp(`^${pattern}$`).test(uri)
  }
  const template = fc
    .array(
      fc.constantFrom(
        'a',
        'b',
        '/',
        '-',
        'x://',
        '{v}',
        '{w}',
        '{+r}',
        '{p*}',
        '{?q}',
        '{&q}',
        '{/s}',
        '{#f}',
        '{.e}',
        '{;m}',
        '{',
        '}',
      ),
      {
        maxLength: 7,
      },
    )
    .map((parts) => parts.join(''))
  const uri = fc
    .array(fc.constantFrom('a', 'b', '/', '-', 'x://', '?', '#', '.', '&', ';', '{v}'), { maxLength: 9 })
    .map((parts) => parts.join(''))

  test('match as the regular expression would', () => {
    fc.assert(
      fc.property(template, uri, (template, uri) => {
        expect(matchesTemplate(template, uri)).toBe(reference(template, uri))
      }),
      { numRuns: 20_000 },
    )
  })

  test('an expansion matches its template', () => {
    const value = fc.stringMatching(/^[a-z0-9%~-]{1,8}$/)
    fc.assert(
      fc.property(value, value, fc.boolean(), (owner, path, query) => {
        const uri = `repo://${owner}/tree/${path}${query ? '?ref=main' : ''}`
        expect(matchesTemplate('repo://{owner}/tree/{path}{?ref}', uri)).toBe(true)
        expect(matchesTemplate('repo://{owner}/{+rest}', uri)).toBe(true)
        expect(matchesTemplate('repo://{owner}/tree', uri)).toBe(false)
      }),
    )
  })

  test.each([
    ['{+a}'.repeat(2000), 'a'.repeat(8000)],
    [`${'{a}x'.repeat(1500)}y`, 'x'.repeat(8000)],
    [`${'{?a}'.repeat(2000)}y`, '?'.repeat(8000)],
    ['{'.repeat(8000), '{'.repeat(8000)],
    ['{+a}'.repeat(1_000_000), 'a'.repeat(8000)],
    ['{+a}b', 'a'.repeat(5_000_000)],
  ])('hostile ones cost a bounded time: %.12s', (template, uri) => {
    const started = performance.now()
    matchesTemplate(template, uri)
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

describe('cursors', () => {
  const identity = { name: 'vmcp', version: '1' }
  const sealer = new Sealer()
  type Plan = { name: string; visibility: Visibility }
  const KINDS: Readonly<Record<ListKind, string>> = {
    tools: 'tools',
    prompts: 'prompts',
    resources: 'resources',
    templates: 'resourceTemplates',
  }

  function catalogueOf(kind: ListKind, plans: readonly Plan[]): Catalogue {
    const entries = new Map<string, BackendEntry>(
      plans.map(({ name, visibility }) => {
        const route = { kind: 'backend', backend: backendId('one'), native: name as NativeName } as const
        return [name, { shown: name as ShownName, route, visibility, definition: { name } }]
      }),
    )
    const none = new Map<string, BackendEntry>()
    return {
      version: 1,
      tools: none,
      prompts: none,
      resources: none,
      templates: none,
      conflicts: [],
      notes: [],
      [kind]: entries,
    }
  }

  /** All pages; `catalogues` gives the one in force at each. */
  function walk(kind: ListKind, catalogues: (page: number) => Catalogue): string[] {
    const seen: string[] = []
    let cursor: JsonValue | undefined
    for (let page = 0; ; page++) {
      expect(page).toBeLessThan(20)
      const request = {
        kind,
        revision: page % 2 === 0 ? '2025-11-25' : '2026-07-28',
        cursor,
        principal: 'me',
        hint: { ttlMs: 5000, cacheScope: 'public' as const },
      }
      const result = JSON.parse(listPage(catalogues(page), request, sealer, identity)) as JsonObject
      const entries = result[KINDS[kind]] as { name: string }[]
      expect(entries.length).toBeLessThanOrEqual(1000)
      seen.push(...entries.map(({ name }) => name))
      cursor = result['nextCursor']
      if (cursor === undefined) return seen
    }
  }

  const kind = fc.constantFrom<ListKind>('tools', 'prompts', 'resources', 'templates')
  const visibility = fc.constantFrom<Visibility>('listed', 'listed', 'listed', 'listed', 'unreachable', 'hidden')
  const size = fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.constantFrom(0, 1, 999, 1000, 1001, 2000, 3001))
  const name = (i: number) => (i % 100 === 99 ? `${'long/'.repeat(700)}${i}` : `n${i}`)
  const listed = (plans: readonly Plan[]) =>
    plans.filter(({ visibility }) => visibility === 'listed').map(({ name }) => name)

  test('give each entry exactly once, in order', () => {
    fc.assert(
      fc.property(kind, size, fc.array(visibility, { minLength: 1, maxLength: 30 }), (kind, size, pattern) => {
        const plans = Array.from({ length: size }, (_, i) => ({
          name: name(i),
          visibility: pattern[i % pattern.length]!,
        }))
        const catalogue = catalogueOf(kind, plans)
        expect(walk(kind, () => catalogue)).toEqual(listed(plans))
      }),
      { numRuns: 60 },
    )
  })

  test('give unchanged entries exactly once while others come, hide, and go out of reach', () => {
    fc.assert(
      fc.property(
        kind,
        fc.integer({ min: 1001, max: 4000 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 19 })),
        (kind, size, dice) => {
          const roll = () => dice.next().value as number
          const all = Array.from({ length: size }, (_, i) => `n${i}`)
          const changing = new Set(all.filter(() => roll() === 0))
          const catalogues = Array.from({ length: 20 }, (_, page) => {
            const plans = all.flatMap((name, i): Plan[] => {
              const extra: Plan[] =
                page > 0 && i % 37 === page ? [{ name: `new${page}-${i}`, visibility: 'listed' }] : []
              const visibility = changing.has(name) && (page + i) % 2 === 0 ? 'unreachable' : 'listed'
              return [{ name, visibility }, ...extra]
            })
            return catalogueOf(kind, plans)
          })
          const seen = walk(kind, (page) => catalogues[page]!)
          const unchanged = all.filter((name) => !changing.has(name))
          expect(seen.filter((name) => name.startsWith('n') && !name.startsWith('new') && !changing.has(name))).toEqual(
            unchanged,
          )
          expect(new Set(seen).size).toBe(seen.length)
        },
      ),
      { numRuns: 25 },
    )
  })

  test('survive whatever catalogue comes next', () => {
    fc.assert(
      fc.property(kind, size, size, (kind, before, after) => {
        const first = catalogueOf(
          kind,
          Array.from({ length: before }, (_, i) => ({ name: `a${i}`, visibility: 'listed' as const })),
        )
        const then = catalogueOf(
          kind,
          Array.from({ length: after }, (_, i) => ({ name: `b${i}`, visibility: 'listed' as const })),
        )
        const seen = walk(kind, (page) => (page === 0 ? first : then))
        expect(new Set(seen).size).toBe(seen.length)
      }),
      { numRuns: 40 },
    )
  })

  test('belong to one list and one caller', () => {
    const plans = Array.from({ length: 1001 }, (_, i) => ({ name: `n${i}`, visibility: 'listed' as const }))
    const request = {
      kind: 'tools' as const,
      revision: '2026-07-28',
      cursor: undefined,
      principal: 'me',
      hint: { ttlMs: 5000, cacheScope: 'public' as const },
    }
    const catalogue = catalogueOf('tools', plans)
    const { nextCursor: cursor } = JSON.parse(listPage(catalogue, request, sealer, identity)) as JsonObject
    expect(typeof cursor).toBe('string')
    expect(() => listPage(catalogue, { ...request, cursor, principal: 'you' }, sealer, identity)).toThrow(
      'Invalid cursor',
    )
    expect(() => listPage(catalogue, { ...request, cursor, kind: 'prompts' }, sealer, identity)).toThrow(
      'Invalid cursor',
    )
    expect(() => listPage(catalogue, { ...request, cursor }, new Sealer(), identity)).toThrow('Invalid cursor')
    expect(listPage(catalogue, { ...request, cursor }, sealer, identity)).toContain('n1000')
  })
})
