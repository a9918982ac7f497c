/** A member of a `Chain`. */
export interface Link {
  previous: Link | undefined
  next: Link | undefined
}

/**
 * What is under way right now: calls, answers. A doubly linked list, because every call enters and leaves it:
 * the hash table of a `Map` or `Set` is replaced every few calls, and a replaced table that has grown old keeps its
 * successors, and all that they held, alive until the next full collection.
 */
export class Chain<Member extends Link> implements Iterable<Member> {
  #first: Member | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  add(member: Member): void {
    const first = this.#first
    member.previous = undefined
    member.next = first
    if (first) first.previous = member
    this.#first = member
    this.#size++
  }

  /** Harmless when it is not a member. */
  remove(member: Member): void {
    const { previous, next } = member
    if (previous === undefined && this.#first !== member) return
    if (previous) previous.next = next
    else this.#first = next as Member | undefined
    if (next) next.previous = previous
    member.previous = undefined
    member.next = undefined
    this.#size--
  }

  /** A member may leave while it is visited. */
  *[Symbol.iterator](): Iterator<Member> {
    for (let member = this.#first; member;) {
      const next = member.next as Member | undefined
      yield member
      member = next
    }
  }
}
