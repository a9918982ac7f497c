/** What all connections of one backend share. */
export interface World {
  name: string
  /** Keys of `wait` calls that began, and that were cancelled. */
  started: string[]
  cancelled: string[]
  /** Keys for which the user was sent to a link. */
  sent: string[]
  /** How often a client said that its roots changed. */
  rootsChanged: number
  /** Calls per tool. */
  calls: Record<string, number>
  /** Answers to what was asked without a call. */
  unsolicited: unknown[]
  /** Tools that came later. */
  later: string[]
  /** Tasks of the extension, by their native id. */
  toils: Map<string, { status: string; answers?: unknown }>
  /** Told of every resource that changes. */
  watchers: Set<Watcher>
}

interface Watcher {
  updated(uri: string): void
  toolsChanged(): void
}

export function createWorld(name: string): World {
  return {
    name,
    started: [],
    cancelled: [],
    sent: [],
    rootsChanged: 0,
    calls: {},
    unsolicited: [],
    later: [],
    toils: new Map(),
    watchers: new Set(),
  }
}

/** Everything about a key that a test may want to know. */
export function recall(world: World, key: string) {
  return {
    started: world.started.filter((each) => each === key).length,
    cancelled: world.cancelled.filter((each) => each === key).length,
    rootsChanged: world.rootsChanged,
    unsolicited: world.unsolicited,
    calls: world.calls,
  }
}

/** Runs until the signal, 20 seconds at most. */
export async function waitFor(world: World, key: string, signal: AbortSignal): Promise<void> {
  world.started.push(key)
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, 20_000)
    timer.unref()
    const stop = () => {
      clearTimeout(timer)
      world.cancelled.push(key)
      resolve()
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
