import { GatewayError } from '../../../../model/errors.ts'

/** What is kept cannot be used. The message is for anybody, the rest for whoever runs the gateway. */
export class StoreFault extends GatewayError<'CREDENTIAL_UNAVAILABLE'> {
  readonly file: string
  /** The way out, beginning with a verb. */
  readonly remedy: string

  constructor(message: string, { file, remedy }: { file: string; remedy: string }) {
    super('CREDENTIAL_UNAVAILABLE', message)
    this.file = file
    this.remedy = remedy
  }
}

/** What opens a sealed text: a configured key, or that of a file. */
export type SealedWith = { readonly id: string } | { readonly file: string }

/** `sealedWith`: what the file says of itself; absent: nothing that can be read. */
export function unopened(file: string, sealedWith: SealedWith | undefined): StoreFault {
  return new StoreFault('the token store cannot be opened: it is damaged, or was sealed with another key', {
    file,
    remedy: [...restoring(sealedWith), anew(file)].join(', or '),
  })
}

/** `error`: of the file system. */
export function unusable(verb: 'read' | 'written', file: string, error: unknown): StoreFault {
  const { code } = error as NodeJS.ErrnoException
  const message = `the token store cannot be ${verb}${code === undefined ? '' : ` (${code})`}`
  return new StoreFault(message, { file, remedy: accessing(code) })
}

/** `error`: of the file system, or about what was read. */
export function keyless(file: string, keyFile: string, error: unknown): StoreFault {
  const { code } = error as NodeJS.ErrnoException
  const remedy =
    code === undefined
      ? `restore it, or remove it and ${file} to start anew; users then sign in again`
      : accessing(code)
  return new StoreFault('the key of the token store cannot be read', { file: keyFile, remedy })
}

function accessing(code: string | undefined): string {
  if (code === 'ENOTDIR' || code === 'EEXIST') return 'make all that its path leads through folders'
  return 'make it a file, in a folder that the user of the gateway can read and write'
}

function restoring(sealedWith: SealedWith | undefined): string[] {
  if (sealedWith === undefined) return []
  if ('file' in sealedWith) return [`restore ${sealedWith.file}`]
  return [`restore the key ${JSON.stringify(sealedWith.id)} of sealing.keys`]
}

const anew = (file: string): string => `remove ${file} to start anew; users then sign in again`
