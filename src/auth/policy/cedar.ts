import { createRequire } from 'node:module'
import type * as Wasm from '@cedar-policy/cedar-wasm/nodejs'

export type Cedar = typeof Wasm
export type {
  DetailedError,
  EntityJson,
  EntityUidJson,
  Expr,
  PolicyJson,
  SchemaJson,
  Type,
} from '@cedar-policy/cedar-wasm/nodejs'

/** An instance of its own: what is prepared in it is freed with it. Takes about 10 ms. */
function load(): Cedar {
  const require = createRequire(import.meta.url)
  const file = require.resolve('@cedar-policy/cedar-wasm/nodejs')
  // The package keeps its one instance in the module: only a module that was loaded anew has a new one.
  delete require.cache[file]
  try {
    return require(file) as Cedar
  } finally {
    delete require.cache[file]
  }
}

/** The instance trapped; nothing it said or holds counts any more. */
export class CedarTrapped extends Error {
  constructor(cause: unknown) {
    super(`the policy engine failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'CedarTrapped'
  }
}

/** A holder of one instance, which is loaded at the first use and again after each trap. */
export interface Engine {
  /** Throws `CedarTrapped`. */
  run<T>(use: (cedar: Cedar) => T): T
}

export function createEngine(open: () => Cedar = load): Engine {
  let cedar: Cedar | undefined
  return {
    run(use) {
      try {
        cedar ??= open()
        return use(cedar)
      } catch (error) {
        // A trap leaves the instance's memory in any state: an answer from it could be an allow.
        cedar = undefined
        throw new CedarTrapped(error)
      }
    },
  }
}
