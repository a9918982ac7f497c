/** RFC 6750 section 2.1. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/u

/** Whether a text can be a bearer token. */
export const isTokenText = (text: string): boolean => TOKEN.test(text)
