// The tests in a real browser: one after the other, each with a server and phones of its own.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    // What is measured is measured by itself, and judged by nobody.
    include: [process.env['RUHU_MEASURE'] ? `tests/${process.env['RUHU_MEASURE']}.ts` : 'tests/**/*.test.ts'],
    fileParallelism: false,
    bail: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
