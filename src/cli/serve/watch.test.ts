import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { Gateway } from '../../gateway/gateway.ts'
import { Telemetry } from '../../telemetry/events.ts'
import { CliError } from '../exit.ts'
import { watchFiles } from './watch.ts'

test('whatever goes wrong in a reload is told, and the next one still works', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
  const file = join(folder, 'vmcp.yaml')
  writeFileSync(file, '')
  const telemetry = new Telemetry()
  const faults: string[] = []
  telemetry.subscribe((name, data) => {
    if (name === 'config.rejected') faults.push(...(data as { faults: string[] }).faults)
  })
  const reload = vi.fn<(config: { name: string }) => void>((config) => {
    if (config.name === 'breaks') throw new TypeError('something unforeseen')
  })
  const source = { inputs: [file], group: undefined, recursive: false }
  const check = (config: { name: string }): void => {
    if (config.name === 'refused') throw new CliError(3, 'not this one', 'write another')
  }
  const unwatch = watchFiles([file], source, { reload } as unknown as Gateway, telemetry, check)
  try {
    const save = (name: string) => writeFileSync(file, JSON.stringify({ name, backends: [] }))
    save('breaks')
    await vi.waitUntil(() => faults.length === 1, 5000)
    save('refused')
    await vi.waitUntil(() => faults.length === 2, 5000)
    expect(faults).toEqual(['something unforeseen', 'not this one (write another)'])
    save('good')
    await vi.waitUntil(() => reload.mock.calls.length === 2, 5000)
    expect(reload.mock.lastCall?.[0].name).toBe('good')
  } finally {
    unwatch()
    rmSync(folder, { recursive: true })
  }
})
