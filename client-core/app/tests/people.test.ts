// Who lives where, and what was put right: a household found on the doorstep, members who come and go, a check that
// takes another's place, one that is given up; and the village on one screen.

import { afterAll, beforeAll, expect, test } from 'vitest'

import { explainAll } from './filling'
import { World, type Phone } from './world'

/** Certificate numbers of the unissued area 4399. */
const HEAD = '439921197603150018'
const WIFE = '439921197808220024'

let world: World
let phone: Phone

beforeAll(async () => {
  world = await World.make(12)
  phone = await world.enrolled('张秀英', 'work_team', '手机1')
  await phone.isWhole()
  await phone.offline(true)
})

afterAll(() => world?.end())

const text = (): Promise<string> => phone.page.locator('main').first().innerText()

test('a household that no roster knows is founded with its head, and a wrong number is said to be one', async () => {
  await phone.go('/village')
  await phone.get('new-household').click()
  await phone.get('group').fill('三组')
  await phone.get('address').fill('梨树坪12号')
  await phone.get('member-name').fill('李四方')
  await phone.get('member-number').fill(`${HEAD.slice(0, -1)}9`)
  await phone.get('member-save').click()
  await phone.page.getByRole('alert').filter({ hasText: '证件号码不对' }).waitFor()
  await phone.get('member-number').fill(HEAD)
  await phone.get('member-save').click()
  await phone.get('check').waitFor()
  expect(await text()).toContain('李四方 户主')
  expect(await text()).toContain('****0018')
  expect(await text()).not.toContain(HEAD)
})

test('members are added with a certificate and without one', async () => {
  await phone.get('add-member').click()
  await phone.get('member-name').fill('覃小花')
  await phone.get('member-relation').selectOption('spouse')
  await phone.get('member-number').fill(WIFE)
  await phone.get('member-save').click()
  await phone.get('member').nth(1).waitFor()
  await phone.get('add-member').click()
  await phone.get('member-name').fill('李小满')
  await phone.get('member-relation').selectOption('son')
  await phone.get('not-certified').click()
  await phone.get('sex-male').click()
  await phone.get('member-born').fill('2026-09-01')
  await phone.get('member-save').click()
  await phone.get('member').nth(2).waitFor()
  expect(await phone.get('member').allInnerTexts()).toHaveLength(3)
})

test('a member who died leaves the list with the day and the reason, and stays in the history', async () => {
  await phone.get('member').filter({ hasText: '覃小花' }).click()
  await phone.get('end-member').click()
  await phone.get('why-death').click()
  await phone.get('left-on').fill('2026-10-20')
  await phone.get('end-reason').fill('户口簿已注销')
  await phone.get('end-save').click()
  await phone.get('member').nth(2).waitFor({ state: 'hidden' })
  expect(await text()).not.toContain('覃小花')
  await phone.get('history').click()
  await phone.get('event').first().waitFor()
  const events = (await phone.get('event').allInnerTexts()).join()
  expect(events).toContain('覃小花 · 姓名')
  expect(events).toContain('死亡')
  expect(events).toContain('2026-10-20')
  await phone.page.goBack()
})

test('a check that is given up is never gone on with, and says why', async () => {
  await phone.get('check').waitFor()
  await phone.check()
  await phone.choose('visit_result', 'refused')
  await phone.get('steps').click()
  await phone.get('to-review').click()
  await phone.get('give-up').locator('summary').click()
  expect(await phone.get('give-up-confirm').isDisabled()).toBe(true)
  await phone.get('give-up-reason').fill('走错了门')
  await phone.get('give-up-confirm').click()
  await phone.get('check').waitFor()
  expect(await phone.get('check').innerText()).toBe('开始入户排查')
})

test('before a submission: what the rules look at, and what will be sent as not applicable', async () => {
  await phone.check()
  await phone.choose('visit_result', 'completed')
  await phone.toPage('living/food')
  await phone.choose('food_ok', 'no')
  await toReview()
  const lead = phone.get('lead').filter({ hasText: '吃不饱' })
  await lead.locator('summary').click()
  expect(await lead.innerText()).toContain('平常能吃得饱吗')
  expect(await phone.get('unjudged').count()).toBe(1)
  expect(await phone.get('dropped').count()).toBe(0)
  await phone.get('missing-line').first().click()
  await phone.get('step').waitFor()
  await phone.toPage('visit/result')
  await phone.choose('visit_result', 'refused')
  await phone.type('visit_reason_absent', '不愿意说')
  await toReview()
  await phone.get('dropped').waitFor()
  expect(await phone.get('dropped').innerText()).toContain('不适用')
  expect(await phone.get('dropped').locator('dt').count()).toBe(1)
  await phone.get('give-up').locator('summary').click()
  await phone.get('give-up-reason').fill('改天再来')
  await phone.get('give-up-confirm').click()
  await phone.get('check').waitFor()
})

test('a submitted check is corrected by a new one that names it', async () => {
  await visit('屋里没人，邻居说去县城了')
  await phone.page.locator('a.visit').first().click()
  await phone.get('replace').waitFor()
  const first = await phone.page.evaluate(() => location.hash)
  await phone.get('replace').click()
  await phone.get('step').waitFor()
  await phone.choose('visit_result', 'unreachable')
  await phone.type('visit_reason_absent', '电话打不通，不是去县城')
  await submit()
  await phone.page.locator('a.visit').nth(1).waitFor()
  await phone.page.locator('a.visit').first().click()
  await phone.get('supersedes').click()
  await phone.page.waitForFunction((hash) => location.hash === hash, first)
  // An address of a check that is over leads to what was submitted.
  for (const path of [first.replace('/read', '/review'), first.replace('/read', '')]) {
    await phone.go(path.slice(1))
    await phone.page.waitForFunction((hash) => location.hash === hash, first)
    await phone.get('replace').waitFor()
  }
})

test('the village on one screen: done and due, what waits, and who has not synced', async () => {
  await phone.offline(false)
  await phone.sync()
  const other = await world.enrolled('王建平', 'first_secretary', '手机2')
  await other.isWhole()
  await other.offline(true)
  await other.go('/overview')
  await other.get('device').first().waitFor()
  const devices = await other.get('device').allInnerTexts()
  expect(devices.find((one) => one.includes('手机1'))).toMatch(/最近收到 .*刚刚/)
  expect(devices.find((one) => one.includes('手机2'))).toContain('还没发送 0 项')
  expect(Number(await other.get('done').innerText()) + Number(await other.get('due').innerText())).toBe(13)
  expect(await other.get('as-of').innerText()).toContain('今天')
  expect(other.complaints).toEqual([])
})

/** A visit on which nobody was met. */
async function visit(reason: string): Promise<void> {
  await phone.check()
  await phone.choose('visit_result', 'unreachable')
  await phone.type('visit_reason_absent', reason)
  await submit()
}

async function toReview(): Promise<void> {
  await phone.get('steps').click()
  await phone.get('to-review').click()
  await phone.get('submit').waitFor()
}

async function submit(): Promise<void> {
  await toReview()
  await explainAll(phone)
  await phone.get('submit').click()
  await phone.get('check').waitFor()
}
