// What Lighthouse says of the first page that a phone loads: `npm run lighthouse`. It prints and judges nothing.
// Lighthouse is fetched by npm when this runs: it is far larger than all else that the app is built with.

import { execFileSync } from 'node:child_process'

import { test } from 'vitest'

import { BROWSER, FLAGS, World } from './world'

const LIGHTHOUSE = process.env['RUHU_LIGHTHOUSE'] ?? ''
const CATEGORIES = ['performance', 'accessibility', 'best-practices']
const TIMES = ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time', 'cumulative-layout-shift', 'total-byte-weight']

interface Report {
  categories: Record<string, { score: number }>
  audits: Record<string, { score: number | null; title: string; displayValue?: string }>
}

test('Lighthouse looks at the first page', async () => {
  const world = await World.make(24)
  try {
    const args = [
      world.url, '--quiet', '--output=json', '--output-path=stdout', `--only-categories=${CATEGORIES.join()}`,
      `--chrome-flags=--headless=new ${FLAGS.join(' ')}`,
    ]
    const [program, before] = LIGHTHOUSE ? [LIGHTHOUSE, []] : ['npx', ['--yes', 'lighthouse@13']]
    const options = { env: { ...process.env, CHROME_PATH: BROWSER }, maxBuffer: 100_000_000 }
    const report = JSON.parse(execFileSync(program, [...before, ...args], options).toString()) as Report
    for (const name of CATEGORIES) console.log(`${name}: ${Math.round(100 * (report.categories[name]?.score ?? 0))}`)
    for (const name of TIMES) console.log(`${name}: ${report.audits[name]?.displayValue ?? ''}`)
    for (const { score, title, displayValue } of Object.values(report.audits)) {
      if (score !== null && score < 0.9) console.log(`below 90: ${title} ${displayValue ?? ''}`)
    }
  } finally {
    await world.end()
  }
})
