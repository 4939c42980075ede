// What keeps somebody from using a screen, as axe-core finds it by the rules of WCAG 2.2 at level AA.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

import type * as Axe from 'axe-core'
import type { Page } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** What lies behind a dialog says that it is a button; what it does, the dialog's own button does too. */
const BEHIND = '.van-overlay'

/** The barriers on a page: the rule, and where. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  return page.evaluate(async ([rules, behind]) => {
    const { axe } = window as unknown as { axe: typeof Axe }
    const found = await axe.run({ exclude: behind }, { runOnly: rules, resultTypes: ['violations'] })
    return found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 160)} ${node.failureSummary}`))
  }, [RULES, BEHIND] as const)
}
