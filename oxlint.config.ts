import { defineConfig } from 'oxlint'

/**
 * The floor plan: which rooms a room may import, of which it may import only types, and which outside packages it alone
 * may import. This table is the only copy; the overrides below are computed from it.
 */
const FLOORS: Record<string, { rooms: string[]; types?: string[]; packages: string[] }> = {
  model: { rooms: [], packages: [] },
  protocol: { rooms: ['model'], packages: [] },
  config: { rooms: ['model'], packages: ['zod', 'yaml', 'jsonc-parser'] },
  telemetry: { rooms: ['model'], packages: [] },
  backends: { rooms: ['model', 'protocol', 'telemetry'], packages: ['undici', 'cross-spawn'] },
  aggregation: { rooms: ['model'], packages: [] },
  auth: {
    rooms: ['model'],
    types: ['config'],
    packages: ['jose', 'oauth4webapi', '@cedar-policy/cedar-wasm', 'node:https'],
  },
  workflow: {
    rooms: ['model'],
    types: ['config'],
    packages: ['@handlebars/parser', 'ajv', 'node:sqlite'],
  },
  gateway: {
    rooms: ['model', 'protocol', 'config', 'telemetry', 'backends', 'aggregation', 'auth', 'workflow'],
    packages: ['node:https'],
  },
  cli: {
    rooms: ['model', 'protocol', 'config', 'telemetry', 'backends', 'aggregation', 'auth', 'workflow', 'gateway'],
    packages: [],
  },
}

const ROOMS = Object.keys(FLOORS)
const CONFINED = [...new Set(Object.values(FLOORS).flatMap((floor) => floor.packages))]
/** Patterns match the specifier as written: a path that climbs out of the room and enters another one. */
const roomPatterns = (room: string) => [1, 2, 3, 4, 5].map((steps) => `${'../'.repeat(steps)}${room}/**`)

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'oxc', 'promise'],
  options: { typeAware: true },
  categories: { correctness: 'error', suspicious: 'error' },
  ignorePatterns: ['dist/**', 'node_modules/**', 'test/fleet/node_modules/**'],
  rules: {
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/consistent-type-imports': 'error',
    'import/no-unassigned-import': 'off',
    // fast-check is written to be used as `fc.`
    'import/no-named-as-default-member': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/no-array-reverse': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'no-shadow': 'off',
    // The compiler's noImplicitReturns knows exhaustive switches; this rule does not.
    'typescript/consistent-return': 'off',
    'consistent-return': 'off',
    'no-await-in-loop': 'off',
    'no-underscore-dangle': 'off',
    'promise/always-return': 'off',
    eqeqeq: 'error',
  },
  overrides: Object.entries(FLOORS).map(([room, floor]) => ({
    files: [`src/${room}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            ...ROOMS.filter((other) => other !== room && !floor.rooms.includes(other)).map((other) => ({
              group: roomPatterns(other),
              allowTypeImports: floor.types?.includes(other) ?? false,
              message: `${room} may import only ${[...floor.rooms, ...(floor.types ?? []).map((type) => `types of ${type}`)].join(', ') || 'nothing'} (floor table in oxlint.config.ts)`,
            })),
            ...CONFINED.filter((name) => !floor.packages.includes(name)).map((name) => ({
              group: [name, `${name}/*`],
              message: `${name} belongs to another room (floor table in oxlint.config.ts)`,
            })),
          ],
        },
      ],
    },
  })),
})
