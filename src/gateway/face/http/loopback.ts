/** 127.0.0.0/8 and ::1, as sockets name their peers. */
export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address)
}
