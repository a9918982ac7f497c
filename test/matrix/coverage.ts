import { existsSync } from 'node:fs'

import type { TestModule, TestProject } from 'vitest/node'
import { REQUIREMENTS } from './requirements.ts'
import type { Requirement } from './requirements/row.ts'

/**
 * Fails the run when a requirement that is carried was not proved by a test that passed. A run of some of the tests
 * proves nothing about the rest.
 */
export default function setup(project: TestProject): () => Promise<void> {
  return async () => {
    const { vitest } = project
    const all = vitest.state.getTestModules()
    const modules = all.filter((module) => module.project.name === project.name)
    const { testFiles } = await project.globTestFiles()
    const whole = testFiles.every((file) => modules.some(({ moduleId }) => moduleId === file))
    if (!whole || vitest.config.testNamePattern !== undefined) return
    const cited = new Set<string>()
    for (const module of modules) {
      for (const test of module.children.allTests('passed')) for (const id of test.meta().covers ?? []) cited.add(id)
    }
    const carried = [...REQUIREMENTS.values()].filter(({ status }) => status === 'carried')
    const missing = carried.filter(({ id, proof }) => (proof ? !isProved(proof, all) : !cited.has(id)))
    if (missing.length === 0) return
    const ids = missing.map(({ id }) => `\n  ${id}`).join('')
    throw new Error(`${missing.length} requirements are carried and no test that passed proves them:${ids}`)
  }
}

/** Of tests that were not asked to run only the file can be known. */
function isProved({ file, test }: NonNullable<Requirement['proof']>, modules: readonly TestModule[]): boolean {
  const module = modules.find(({ relativeModuleId }) => relativeModuleId === file)
  if (!module) return existsSync(file)
  return [...module.children.allTests('passed')].some(({ name }) => test.test(name))
}
