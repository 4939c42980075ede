// Two people write different values for one household; a third way is not taken: both stay, and one is chosen.

import { afterAll, beforeAll, expect, test } from 'vitest'

import { World, type Phone } from './world'

let world: World
let first: Phone
let secretary: Phone

beforeAll(async () => {
  world = await World.make(12)
  first = await world.enrolled('张秀英', 'work_team', '手机1')
  secretary = await world.enrolled('王建平', 'first_secretary', '手机2')
})

afterAll(() => world?.end())

test('two edits made apart are a conflict on both phones, with who and when', async () => {
  await first.household(0)
  await first.editName('赵东疆', '户主自述')
  await secretary.household(0)
  await secretary.editName('赵冬江', '看户口簿')
  await first.sync()
  await secretary.sync()
  await first.sync()
  for (const phone of [first, secretary]) {
    await phone.go('/conflicts')
    await phone.get('conflict').waitFor()
    const values = await phone.get('value').allInnerTexts()
    expect(values).toHaveLength(2)
    expect(values.join()).toContain('赵东疆')
    expect(values.join()).toContain('赵冬江')
    expect(values.join()).toContain('手机1')
    expect(values.join()).toContain('手机2')
  }
})

test('the first secretary chooses one, and both phones show it', async () => {
  await secretary.get('value').filter({ hasText: '赵东疆' }).click()
  await secretary.get('reason').fill('到户核实')
  await secretary.get('settle').click()
  await secretary.get('no-conflicts').waitFor()
  await secretary.sync()
  await first.sync()
  await first.go('/conflicts')
  await first.get('no-conflicts').waitFor()
  await first.go('/village')
  await first.get('household').filter({ hasText: '赵东疆' }).click()
  await first.get('check').waitFor()
  expect(await first.page.locator('main').innerText()).toContain('赵东疆')
  await first.get('history').click()
  await first.get('event').first().waitFor()
  const events = (await first.get('event').allInnerTexts()).join()
  expect(events).toContain('裁定：到户核实')
  expect(events).toContain('裁定时没有采用')
})
