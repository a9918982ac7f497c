/** Larger files are refused unread. */
export const MAX_FILE_BYTES = 10 * 1024 * 1024
/** Maps and lists inside one another. */
export const MAX_DEPTH = 100
/** Values that aliases may add to one document: an alias bomb multiplies a few lines into billions. */
export const MAX_ALIASED_VALUES = 10_000

export const TOO_DEEP = `nested more than ${MAX_DEPTH} levels deep`
