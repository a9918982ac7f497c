import { createInterface } from 'node:readline'

/** What a person answers; `interrupted` by Ctrl-C. */
export type Answer = 'yes' | 'no' | 'interrupted'

/** Asks a question that only `y` and `yes` affirm. The end of the input is a no. */
export function confirm(
  question: string,
  { input, output }: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream },
): Promise<Answer> {
  const lines = createInterface({ input, output })
  return new Promise((resolve) => {
    lines.once('SIGINT', () => {
      resolve('interrupted')
      lines.close()
    })
    lines.once('close', () => resolve('no'))
    lines.question(question, (answer) => {
      resolve(/^y(?:es)?$/iu.test(answer.trim()) ? 'yes' : 'no')
      lines.close()
    })
  })
}
