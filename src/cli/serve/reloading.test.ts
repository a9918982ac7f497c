import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { GatewayConfig } from '../../config/gateway-config.ts'
import type { Gateway } from '../../gateway/gateway.ts'
import { Telemetry } from '../../telemetry/events.ts'
import { CliError } from '../exit.ts'
import { reloading } from './reloading.ts'

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
  const fitted = (config: GatewayConfig): GatewayConfig => {
    if (config.name === 'refused') throw new CliError(3, 'not this one', 'write another')
    return config
  }
  const gateway = { reload } as unknown as Gateway
  const stop = reloading({ files: [file], source, watch: true, frozen: undefined, gateway, telemetry, fitted })
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
    stop()
    rmSync(folder, { recursive: true })
  }
})

test('without watching, SIGHUP has everything read anew', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmcp-'))
  const file = join(folder, 'vmcp.yaml')
  writeFileSync(file, JSON.stringify({ name: 'first', backends: [] }))
  const reload = vi.fn<(config: { name: string }) => void>()
  const source = { inputs: [file], group: undefined, recursive: false }
  const gateway = { reload } as unknown as Gateway
  const telemetry = new Telemetry()
  const stop = reloading({ files: [file], source, watch: false, frozen: undefined, gateway, telemetry })
  try {
    writeFileSync(file, JSON.stringify({ name: 'second', backends: [] }))
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(reload).not.toHaveBeenCalled()
    process.emit('SIGHUP')
    await vi.waitUntil(() => reload.mock.calls.length === 1, 5000)
    expect(reload.mock.lastCall?.[0].name).toBe('second')
  } finally {
    stop()
    rmSync(folder, { recursive: true })
  }
})
