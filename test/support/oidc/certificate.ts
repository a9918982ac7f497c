import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'

/** PEM texts of a key and of its certificate. */
export interface Certified {
  key: string
  cert: string
}

/** A certificate that signs itself, for 127.0.0.1 and localhost, from yesterday to tomorrow. */
export function selfSigned(): Certified {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(set(sequence(oid(0x55, 4, 3), utf8('vmcp test'))))
  const algorithm = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2))
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    sequence(time(-1), time(1)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(authority(), alternativeNames())),
  )
  const signature = sign('sha256', body, privateKey)
  const der = sequence(body, algorithm, tagged(3, Buffer.concat([Buffer.from([0]), signature])))
  return { key: pem(privateKey), cert: wrap('CERTIFICATE', der) }
}

const tagged = (tag: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const sequence = (...parts: Buffer[]) => tagged(0x30, ...parts)
const set = (...parts: Buffer[]) => tagged(0x31, ...parts)
const integer = (value: Buffer) => tagged(2, value)
const oid = (...bytes: number[]) => tagged(6, Buffer.from(bytes))
const utf8 = (text: string) => tagged(0x0c, Buffer.from(text))
const octets = (content: Buffer) => tagged(4, content)

function time(days: number): Buffer {
  const text = new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/gu, '')
  return tagged(0x18, Buffer.from(text))
}

const authority = () =>
  sequence(oid(0x55, 0x1d, 0x13), tagged(1, Buffer.from([255])), octets(sequence(tagged(1, Buffer.from([255])))))

const alternativeNames = () =>
  sequence(
    oid(0x55, 0x1d, 0x11),
    octets(sequence(tagged(0x82, Buffer.from('localhost')), tagged(0x87, Buffer.from([127, 0, 0, 1])))),
  )

const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }) as string

const wrap = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/gu, '$&\n')}\n-----END ${label}-----\n`
