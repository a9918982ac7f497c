/** What a process inherits besides its own `env`: enough to find programs, homes and text encodings, no secret. */
const INHERITED: Readonly<Record<'posix' | 'win32', readonly string[]>> = {
  posix: ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR'],
  win32: [
    'APPDATA',
    'COMSPEC',
    'HOMEDRIVE',
    'HOMEPATH',
    'LOCALAPPDATA',
    'PATH',
    'PATHEXT',
    'PROCESSOR_ARCHITECTURE',
    'PROGRAMFILES',
    'SYSTEMDRIVE',
    'SYSTEMROOT',
    'TEMP',
    'TMP',
    'USERNAME',
    'USERPROFILE',
  ],
}

/** Values that start with `()` are exported shell functions, which a shell child would run. */
export function minimalEnvironment(source: NodeJS.ProcessEnv, platform: NodeJS.Platform): Record<string, string> {
  const names = INHERITED[platform === 'win32' ? 'win32' : 'posix']
  const env: Record<string, string> = {}
  for (const name of names) {
    const value = source[name]
    if (value !== undefined && !value.startsWith('()')) env[name] = value
  }
  return env
}
