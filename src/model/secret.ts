import { inspect } from 'node:util'

/**
 * A value that must not be printed. It shows stars in logs, JSON, templates and `util.inspect`;
 * only `reveal()` opens it, so every place that does can be found by name.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '***'
  }

  toJSON(): string {
    return '***'
  }

  [inspect.custom](): string {
    return 'Secret(***)'
  }
}
