/** Colours for people at a terminal; plain text when piped or when NO_COLOR is set (no-color.org). */
export interface Paint {
  bold: (text: string) => string
  dim: (text: string) => string
  good: (text: string) => string
  bad: (text: string) => string
  warn: (text: string) => string
}

const CODES = { bold: '1', dim: '2', good: '32', bad: '31', warn: '33' } as const

export function paintFor(stream: { isTTY?: boolean | undefined }): Paint {
  const coloured = stream.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb'
  const brush = (code: string) => (text: string) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text)
  return {
    bold: brush(CODES.bold),
    dim: brush(CODES.dim),
    good: brush(CODES.good),
    bad: brush(CODES.bad),
    warn: brush(CODES.warn),
  }
}

/** Text of a backend for a terminal: control characters could rewrite what stands there. */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are the characters to take out
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
}

export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`
}

/** Columns as wide as their widest cell; the last one runs free. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}

export function printError(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** A reader of our output that goes away ends nothing but that output. */
export function outliveReaders(): void {
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
}
