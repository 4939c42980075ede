// A visit with no network: from the invitation to the receipt, through a cold start and a kill in between. The
// household has four members; it is filled in by the whole form, and then again by the short one.

import { afterAll, beforeAll, expect, test } from 'vitest'

import { explainAll, fillToTheEnd } from './filling'
import { World, type Phone } from './world'

const HOUSEHOLDS = 30

let world: World
let phone: Phone

beforeAll(async () => {
  world = await World.make(HOUSEHOLDS)
})

afterAll(() => world?.end())

const address = (): Promise<string> => phone.page.evaluate(() => decodeURIComponent(location.hash))
const fourPeople = () => phone.get('household').filter({ hasText: '4 人' }).first()

test('a phone is enrolled by a pasted link and holds the village after its first sync', async () => {
  phone = await world.phone('张秀英')
  await phone.enrol(world.invite('张秀英', 'work_team'), '手机1')
  await phone.isWhole()
  await phone.sync()
  await phone.go('/village')
  await phone.get('household').first().waitFor()
  expect(await phone.get('household').count()).toBe(HOUSEHOLDS)
  expect(phone.complaints).toEqual([])
})

test('the browser can install it', async () => {
  const devtools = await phone.page.context().newCDPSession(phone.page)
  const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors')
  expect(installabilityErrors).toEqual([])
  const { data } = await devtools.send('Page.getAppManifest')
  expect(JSON.parse(data ?? '{}')).toMatchObject({ display: 'standalone', start_url: expect.any(String) })
})

test('a browser that may clear the data is said to be one, until it promises to keep them', async () => {
  await phone.go('/')
  await phone.get('not-persisted').waitFor()
  const devtools = await phone.page.context().newCDPSession(phone.page)
  await devtools.send('Browser.grantPermissions', { permissions: ['durableStorage'], origin: world.url })
  await phone.go('/settings')
  await phone.get('ask-to-persist').click()
  await phone.get('persisted').filter({ hasText: '答应长期保留' }).waitFor()
  await devtools.send('Browser.resetPermissions')
})

test('with the server stopped and the network cut it opens cold', async () => {
  await world.stop()
  await phone.close()
  await phone.open().catch(() => {})
  await phone.offline(true)
  await phone.page.reload()
  await phone.unlock()
  await phone.go('/village')
  await phone.get('household').first().waitFor()
  expect(await phone.get('household').count()).toBe(HOUSEHOLDS)
})

test('what is asked follows from what was answered', async () => {
  await fourPeople().click()
  await phone.check()
  await phone.choose('visit_result', 'refused')
  await phone.question('visit_reason_absent').waitFor()
  await phone.choose('visit_result', 'completed')
  await phone.question('visit_reason_absent').waitFor({ state: 'hidden' })
  await phone.get('steps').click()
  const members = phone.page.locator('.steps [data-page^="members/health@"]')
  expect(await members.count()).toBe(4)
  expect(await phone.page.locator('.steps [data-page^="water/"]').count()).toBe(2)
  await phone.page.locator('.steps [data-page="visit/result"]').click()
})

test('where the phone may not say where it is, the reason is asked', async () => {
  await phone.toPage('visit/position')
  await phone.get('locate').click()
  await phone.get('no-position').waitFor()
  await phone.type('visit_point_absent_reason', '手机不许定位')
  await phone.place({ longitude: 111.0512, latitude: 29.4233, accuracy: 12 })
  await phone.get('locate').click()

  await phone.get('position').waitFor()
  expect(await phone.get('position').innerText()).toContain('12 米')
  await phone.question('visit_point_absent_reason').waitFor({ state: 'hidden' })
})

test('two heads block, and say so under the question', async () => {
  await phone.toPage('members/identity@')
  const first = await address()
  await phone.get('next').click()
  await phone.page.waitForFunction((before) => decodeURIComponent(location.hash) !== before, first)
  // The next screens of the same member come before the second member's.
  await phone.get('steps').click()
  await phone.page.locator('.steps [data-page^="members/identity@"]').nth(1).click()
  await phone.page.locator('.steps').waitFor({ state: 'hidden' })
  const relation = phone.question('relation_to_head')
  await relation.waitFor()
  const before = await relation.locator('[data-test="open-list"]').innerText()
  await phone.choose('relation_to_head', 'head')
  await phone.toPage('members/identity@')
  await phone.page.locator('[data-finding="V-REL-1"]').waitFor()
  await phone.get('steps').click()
  await phone.get('to-review').click()
  await phone.get('findings').waitFor()
  expect(await phone.get('findings').innerText()).toContain('一户须有且只有一名户主')
  expect(await phone.get('submit').isDisabled()).toBe(true)
  await phone.page.locator('[data-finding="V-REL-1"] [data-test="go-to"]').click()
  await phone.get('step').waitFor()
  await phone.get('steps').click()
  await phone.page.locator('.steps [data-page^="members/identity@"]').nth(1).click()
  await phone.page.locator('.steps').waitFor({ state: 'hidden' })
  await relation.locator('[data-test="open-list"]').click()
  await phone.page.locator('.choices:visible').getByText(before, { exact: true }).click()
  await phone.toPage('members/identity@')
  await phone.page.locator('[data-finding="V-REL-1"]').waitFor({ state: 'hidden' })
})

test('a check goes on with the same question after the browser was killed', async () => {
  await phone.toPage('income/earned')
  await phone.type('wage_income', '26600.5')
  await phone.type('business_cost', '1200')
  const before = await address()
  await phone.kill()
  await phone.open().catch(() => {})
  await phone.unlock()
  await phone.get('step').waitFor()
  expect(await address()).toBe(before)
  expect(await phone.question('wage_income').locator('input').inputValue()).toBe('26600.5')
  expect(await phone.question('business_cost').locator('input').inputValue()).toBe('1200')
  await phone.page.locator('[data-here][data-question="business_cost"]').waitFor()
})

test('a number that is none is said to be none, and nothing is kept of it', async () => {
  const field = phone.question('property_income')
  await field.locator('input').fill('many')
  await field.getByRole('alert').waitFor()
  expect(await field.locator('[data-test="kept"]').count()).toBe(0)
  await field.locator('input').fill('')
})

test('one tap answers the other amounts with nothing', async () => {
  await phone.toPage('income/transfer')
  await phone.type('transfer_pension', '1500.25')
  await phone.get('zero-rest').click()
  await phone.kept('transfer_other')
  expect(await phone.question('transfer_other').locator('input').inputValue()).toBe('0')
  expect(await phone.question('transfer_pension').locator('input').inputValue()).toBe('1500.25')
})

test('an income that is too low to be true stands with a reason, and totals go to the fen', async () => {
  await phone.toPage('income/earned')
  await phone.type('business_income', '1000')
  await phone.type('property_income', '0')
  await phone.toPage('income/confirm')
  // 26,600.50 + 1,000 + 1,500.25 - 1,200 = 27,900.75 for four people.
  expect(await phone.question('net_income_total').innerText()).toContain('27900.75 元')
  await phone.toPage('income/earned')
  await phone.type('wage_income', '6000.50')
  await phone.toPage('income/confirm')
  await phone.question('per_capita').filter({ hasText: '1825.18 元' }).waitFor()
  const finding = phone.page.locator('[data-finding="V-INC-3"]')
  await finding.locator('[data-test="explain"]').click()
  await finding.locator('[data-test="finding-reason"]').fill('账本看过，收成不好')
  await finding.locator('[data-test="finding-confirm"]').click()
  await finding.locator('[data-test="explained"]').waitFor()
})

test('the whole check is filled, read back and submitted with no network', async () => {
  await phone.toPage('visit/result')
  const screens = await fillToTheEnd(phone)
  expect(new Set(screens).size).toBe(screens.length)
  expect(screens.length).toBeGreaterThan(35)
  await phone.get('read').first().waitFor()
  expect(await phone.get('read').count()).toBeGreaterThan(30)
  expect(await phone.get('leads').count()).toBe(1)
  await phone.get('missing-reason').fill('签字机没有带，下次补')
  await phone.get('missing-confirm').click()
  await phone.get('missing').waitFor({ state: 'hidden' })
  await explainAll(phone)
  await phone.get('submit').click()
  await phone.get('check').waitFor()
  expect(await phone.page.locator('[data-key="answer/income/wage_income"]').innerText()).toContain('6000.50')
})

test('a second visit offers the last answers, and the short form asks what was ticked', async () => {
  await phone.check()
  await phone.choose('visit_result', 'completed')
  await phone.toPage('living/food')
  await phone.question('food_ok').locator('[data-test="carry-on"]').click()
  await phone.kept('food_ok')
  await phone.get('accept-all').click()
  await phone.kept('bedding_ok')
  await phone.toPage('visit/result')
  const whole = await count()
  await phone.get('short').click()
  await phone.page.waitForFunction((before) => document.querySelector('.count')?.textContent !== before, whole)
  await phone.toPage('visit/changes')
  await phone.choose('anything_changed', 'none')
  const chosen = phone.question('anything_changed').locator('[data-test="open-list"]')
  expect(await chosen.innerText()).toBe('无变化')
  expect(await pagesOf('needs/land')).toBe(0)
  await phone.choose('anything_changed', 'income')
  await chosen.filter({ hasText: '收入' }).waitFor()
  expect(await chosen.innerText()).not.toContain('无变化')
  await phone.toPage('needs/land')
  await phone.question('arable').waitFor()
  await phone.kill()
  await phone.open().catch(() => {})
  await phone.unlock()
  await phone.question('arable').waitFor()
  await phone.toPage('visit/result')
  expect(await phone.get('short').getAttribute('aria-pressed')).toBe('true')
  await fillToTheEnd(phone)
  await phone.get('read').first().waitFor()
  await explainAll(phone)
  await phone.get('submit').click()
  await phone.get('check').waitFor()
})

test('what was written is received when there is a network again', async () => {
  await phone.go('/sync')
  await phone.get('sync').click()
  await phone.get('sync-failed').waitFor()
  expect(await phone.get('sync-failed').innerText()).toContain('连不上服务器')
  expect(Number(await phone.get('unsent').innerText())).toBeGreaterThan(0)
  await world.start()
  await phone.offline(false)
  await phone.sync()
  expect(await phone.get('unsent').innerText()).toBe('0')
  expect(world.operate(['verify'])).toContain('一致')
  expect(phone.complaints).toEqual([])
})

/** How many screens of a name there are to go to. */
async function pagesOf(name: string): Promise<number> {
  await phone.get('steps').click()
  await phone.get('to-review').waitFor()
  const found = await phone.page.locator(`.steps [data-page^="${name}"]`).count()
  await phone.page.locator('.steps [aria-pressed="true"]').click()
  await phone.page.locator('.steps').waitFor({ state: 'hidden' })
  return found
}

const count = (): Promise<string> => phone.page.locator('.count').innerText()
