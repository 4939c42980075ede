// A person who fills a form: answers every question of every screen with what fits it.

import type { Phone } from './world'

/** Answers that matter for what is asked next; a question that is not named takes its first choice, or 5. */
const ANSWERS: Record<string, string> = {
  visit_result: 'completed',
  member_change: 'none',
  health_status: 'healthy',
  house_signs: 'none',
  shock_kind: 'none',
  wants: 'none',
  aid_received: 'none',
  exclusion_self: 'none_of_these',
  welfare_post: 'none_of_these',
  built_year: '2008',
  area: '120',
  wage_income: '26600.50',
  business_income: '18000',
  business_cost: '1200',
  property_income: '0',
  period_start: '2025-11',
  period_end: '2026-10',
  work_county: '430821',
  work_months: '10',
  at_home_months: '12',
  visit_point_absent_reason: '手机定不了位',
}
/** What takes no answer from fingers alone. */
const NOT_FILLED = new Set(['calculated', 'note', 'photo', 'signature', 'position'])

/** Answers what is open on the screen that is shown, also what comes up while it is answered. */
export async function fillPage(phone: Phone): Promise<void> {
  const passed = new Set<string>()
  for (;;) {
    const names = await phone.page.locator('section[data-question]').evaluateAll((all) =>
      all.filter((one) => !one.querySelector('[data-test="kept"]')).map((one) => [one.dataset.question!, one.dataset.type!]),
    )
    const next = names.find(([name, type]) => !passed.has(name!) && !NOT_FILLED.has(type!))
    if (!next) return
    const [name, type] = next as [string, string]
    passed.add(name)
    await fillQuestion(phone, name, type)
  }
}

async function fillQuestion(phone: Phone, name: string, type: string): Promise<void> {
  const said = ANSWERS[name]
  if (type === 'text') return phone.type(name, said ?? '村里人说的情况')
  if (type === 'int' || type === 'decimal') return phone.type(name, said ?? '5')
  if (type === 'date' || type === 'month') return phone.type(name, said ?? '2026-10')
  return phone.choose(name, said ?? null)
}

/** Fills from the screen that is shown to the last one; answers the titles of the screens. */
export async function fillToTheEnd(phone: Phone): Promise<string[]> {
  const screens: string[] = []
  for (;;) {
    const title = await phone.get('step').innerText()
    screens.push(title)
    await fillPage(phone)
    await phone.get('next').click()
    await phone.page.waitForFunction(
      (before) => {
        const step = document.querySelector('[data-test="step"]')
        return step?.textContent !== before || document.querySelector('[data-question].open')
      },
      title,
    )
    // What cannot be filled here was pointed out once.
    if (await phone.page.locator('[data-question].open').count()) await phone.get('next').click()
    await phone.page.waitForFunction((before) => document.querySelector('[data-test="step"]')?.textContent !== before, title)
    if (!(await phone.get('step').count())) return screens
  }
}

/** Gives a reason for whatever is still open on the review. */
export async function explainAll(phone: Phone): Promise<void> {
  await phone.get('submit').waitFor()
  if (await phone.get('missing').count()) {
    await phone.get('missing-reason').fill('当时问不到，下次补')
    await phone.get('missing-confirm').click()
    await phone.get('missing').waitFor({ state: 'hidden' })
  }
  while (await phone.get('findings').count()) {
    const first = phone.get('findings').locator('[data-finding]').first()
    const title = await first.innerText()
    await first.locator('[data-test="explain"]').click()
    await first.locator('[data-test="finding-reason"]').fill('到户看过，属实')
    await first.locator('[data-test="finding-confirm"]').click()
    await phone.page.waitForFunction(
      (before) => document.querySelector<HTMLElement>('[data-test="findings"] [data-finding]')?.innerText !== before,
      title,
    )
  }
}
