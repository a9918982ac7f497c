import type { TestProject } from 'vitest/node'
import { REQUIREMENTS } from './requirements.ts'

/**
 * Fails the run when a requirement that is carried was not proved by a test that passed. A run of some of the tests
 * proves nothing about the rest.
 */
export default function setup(project: TestProject): () => Promise<void> {
  return async () => {
    const { vitest } = project
    const modules = vitest.state.getTestModules().filter((module) => module.project.name === project.name)
    const { testFiles } = await project.globTestFiles()
    const whole = testFiles.every((file) => modules.some(({ moduleId }) => moduleId === file))
    if (!whole || vitest.config.testNamePattern !== undefined) return
    const proved = new Set<string>()
    for (const module of modules) {
      for (const test of module.children.allTests('passed')) for (const id of test.meta().covers ?? []) proved.add(id)
    }
    const missing = [...REQUIREMENTS.values()].filter(({ id, status }) => status === 'carried' && !proved.has(id))
    if (missing.length === 0) return
    const ids = missing.map(({ id }) => `\n  ${id}`).join('')
    throw new Error(`${missing.length} requirements are carried and no test that passed proves them:${ids}`)
  }
}
