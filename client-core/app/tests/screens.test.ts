// The screens at the size of a phone, two of them in large type and one of those in English: nothing to touch is below
// 44 px, nothing runs over the side, nothing is a barrier to those who see or hold badly, and nothing complains. With RUHU_SCREENSHOTS=1 the pictures of the README are taken anew.

import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { barriers } from './barriers'
import { World, type Phone } from './world'

/** The least height of what is touched, CSS pixels (WCAG 2.2, 2.5.5). */
const TOUCH_MIN = 44
const FOLDER = fileURLToPath(new URL('../screenshots', import.meta.url))

let world: World
let phone: Phone

beforeAll(async () => {
  world = await World.make(24)
})

afterAll(() => world?.end())

/** What is too small to touch: its text and height. */
function small(): Promise<string[]> {
  return phone.page.evaluate((least) => {
    const touched = [...document.querySelectorAll<HTMLElement>('button, a, input, textarea, .van-tabbar-item')]
    const low = touched.filter((one) => one.offsetParent !== null && one.getBoundingClientRect().height < least - 0.5)
    return low.map((one) => `${one.innerText || one.tagName} ${one.getBoundingClientRect().height}`)
  }, TOUCH_MIN)
}

const overrun = (): Promise<number> =>
  phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

async function look(name: string): Promise<void> {
  await phone.page.waitForTimeout(400)
  expect(await small(), name).toEqual([])
  expect(await overrun(), name).toBe(0)
  expect.soft(await barriers(phone.page), name).toEqual([])
  expect(phone.complaints, name).toEqual([])
  if (process.env['RUHU_SCREENSHOTS']) await phone.page.screenshot({ path: `${FOLDER}/${name}.png`, scale: 'css' })
}

test('before the work: the passphrase and the enrolment', async () => {
  phone = await world.phone('张秀英')
  await phone.get('passphrase').waitFor()
  await look('passphrase')
  await phone.choosePassphrase()
  await phone.get('enrol-link').waitFor()
  await look('enrol')
  await phone.get('enrol-link').fill(world.invite('张秀英', 'first_secretary'))
  await phone.get('device-name').fill('手机1')
  await phone.get('enrol').click()
  await phone.page.locator('.van-tabbar').waitFor()
  await phone.sync()
})

test('a visit from the list to the receipt', async () => {
  await phone.household(1)
  await phone.check()
  await phone.choose('visit_result', 'completed')
  await look('check-visit')
  await phone.toPage('members/health@')
  await phone.choose('health_status', 'healthy')
  await look('check-member')
  await phone.toPage('income/earned')
  await phone.type('wage_income', '1600')
  await phone.type('business_income', '2200')
  await phone.type('business_cost', '1500.5')
  await phone.type('property_income', '0')
  await phone.page.evaluate(() => window.scrollTo(0, 0))
  await look('check')
  await phone.toPage('income/transfer')
  await phone.get('zero-rest').click()
  await phone.kept('transfer_other')
  await phone.toPage('income/confirm')
  await phone.choose('income_confirm', 'true')
  await phone.get('explain').click()
  await look('check-finding')
  await phone.get('steps').click()
  await look('check-groups')
  await phone.get('to-review').click()
  await phone.get('missing').waitFor()
  await look('review')
  await phone.get('missing-reason').fill('只走了一半，下次补')
  await phone.get('missing-confirm').click()
  await phone.get('missing').waitFor({ state: 'hidden' })
  await phone.get('explain').first().click()
  await phone.get('finding-reason').fill('账本看过')
  await phone.get('finding-confirm').click()
  await phone.get('findings').waitFor({ state: 'hidden' })
  await phone.get('unjudged').click()
  await look('review-leads')
  await phone.get('submit').click()
  await phone.get('check').waitFor()
  await look('household')
  await phone.go('/sync')
  await phone.get('household').first().waitFor()
  await look('sync-before')
  await phone.sync()
  await look('sync')
})

test('a conflict side by side, and the history after it', async () => {
  const other = await world.enrolled('李国强', 'work_team', '手机2')
  await other.household(0)
  await other.editName('赵东疆', '户主自述')
  await phone.household(0)
  await phone.editName('赵冬江', '看户口簿')
  await other.sync()
  await phone.sync()
  await phone.go('/conflicts')
  await phone.get('value').first().click()
  await phone.get('reason').fill('到户看了户口簿')
  await look('conflict')
  await phone.get('settle').click()
  await phone.get('no-conflicts').waitFor()
  await phone.household(0)
  await phone.get('history').click()
  await phone.get('event').first().waitFor()
  await look('history')
})

test('the lists, found by pinyin initials as one types', async () => {
  await phone.go('/village')
  await phone.get('household').nth(3).waitFor()
  await look('village')
  await phone.page.locator('.van-search input').fill('zd')
  await phone.page.waitForFunction(() => document.querySelectorAll('[data-test="household"]').length < 5)
  await look('search')
  await phone.page.locator('.van-search input').fill('')
  await phone.get('household').nth(3).waitFor()
  await phone.household(2)
  await phone.check()
  await phone.choose('visit_result', 'completed')
  await phone.go('/')
  await phone.get('household').first().waitFor()
  await look('today')
})

test('a household is founded, a member is added and one leaves', async () => {
  await phone.go('/new-household')
  await phone.get('group').fill('三组')
  await phone.get('member-name').fill('李四方')
  await look('new-household')
  await phone.household(2)
  await phone.get('add-member').click()
  await phone.get('not-certified').click()
  await phone.get('sex-male').waitFor()
  await look('add-member')
  await phone.household(3)
  await phone.get('member').first().click()
  await phone.get('end-member').click()
  await phone.get('why-death').waitFor()
  await look('end-member')
  await phone.go('/overview')
  await phone.get('device').first().waitFor()
  await look('overview')
})

test('large type and English change every screen, and nothing runs over', async () => {
  await phone.go('/settings')
  await look('settings')
  await phone.get('size-large').click()
  await phone.go('/')
  await phone.get('household').first().waitFor()
  await look('today-large')
  await phone.household(2)
  await phone.check()
  await look('check-large')
  await phone.get('steps').click()
  await phone.get('to-review').click()
  await phone.get('give-up').waitFor()
  await look('review-large')
  await phone.go('/settings')
  await phone.get('lang-en').click()
  await phone.household(1)
  await look('household-english-large')
})

test('a locked phone asks for the passphrase, one that is shut for a while for the PIN', async () => {
  await phone.go('/settings')
  await phone.get('lang-zh').click()
  await phone.get('size-normal').click()
  await phone.get('pin-new').fill('246813')
  await phone.get('pin-again').fill('246813')
  await phone.get('pin-save').click()
  await phone.get('pin-set').waitFor()
  await look('settings-pin')
  await phone.get('pause').click()
  await phone.get('pin').waitFor()
  await look('pin')
  await phone.get('pin').fill('246813')
  await phone.get('resume').click()
  await phone.go('/settings')
  await phone.get('lock').click()
  await phone.get('passphrase').waitFor()
  await look('unlock')
})
