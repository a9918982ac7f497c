import { createInterface } from 'node:readline/promises'

export interface Terminal {
  input: NodeJS.ReadableStream
  output: NodeJS.WritableStream
}

/** With a person who reads and types. */
export interface Conversation {
  say: (text: string) => void
  /** What is typed after the prompt. `undefined`: the input has ended. */
  line: (prompt: string) => Promise<string | undefined>
  close: () => void
}

/** Lines may be typed before they are asked for. */
export function conversationAt({ input, output }: Terminal): Conversation {
  const lines = createInterface({ input, output, terminal: false })
  const waiting: ((line: string | undefined) => void)[] = []
  const read: string[] = []
  let isOver = false
  lines.on('line', (line) => {
    const next = waiting.shift()
    if (next) next(line)
    else read.push(line)
  })
  lines.once('close', () => {
    isOver = true
    for (const next of waiting.splice(0)) next(undefined)
  })
  const say = (text: string): void => void output.write(text)
  return {
    say,
    line: async (prompt) => {
      say(prompt)
      if (read.length > 0) return read.shift()
      return isOver ? undefined : new Promise((resolve) => waiting.push(resolve))
    },
    close: () => lines.close(),
  }
}
