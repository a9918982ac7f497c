import { spawn } from 'node:child_process'

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
}

/** Shows an address of ours to the user of this machine, where that can be done. Nothing comes of it where it cannot. */
export function openBrowser(url: string): void {
  const { DISPLAY, WAYLAND_DISPLAY } = process.env
  const hasScreen = process.platform in OPENERS || DISPLAY !== undefined || WAYLAND_DISPLAY !== undefined
  if (!hasScreen) return
  const [command = '', ...args] = OPENERS[process.platform] ?? ['xdg-open']
  // No shell: what stands in the address stays an argument.
  spawn(command, [...args, url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref()
}
