// A newer form while a draft is open: the app that brings it says in words what changed and what has no place any more,
// nothing that was answered is lost, and the check is filled in and submitted under the new form.

import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { explainAll, fillToTheEnd } from './filling'
import { Release, formOf, type Form } from './release'
import { World, type Phone } from './world'

const NEWEST = 'ruhu-first.json'

let world: World
let phone: Phone

/** The app as it was before: its newest form is the version before. */
const before = (folder: string): string =>
  Release.copy(join(folder, 'app-before')).withForm(NEWEST, formOf('ruhu-first-1.0.0.json')).folder

/** The next version of the form: one question is worded anew and offers less, one is gone, one is new. */
function nextForm(): Form {
  const form = formOf(NEWEST)
  const groups = form.sections.flatMap((section) => section.groups)
  for (const group of groups) group.questions = group.questions.filter(({ key }) => key !== 'structure')
  const supply = groups.find(({ key }) => key === 'supply')!
  const source = supply.questions.find(({ key }) => key === 'water_source')!
  source['label'] = { zh: '主要饮用水源', en: 'Main source of drinking water' }
  source['only'] = ['purified_tap', 'protected_well', 'unprotected_well', 'river_or_lake', 'bottled', 'other']
  const label = { zh: '家里通了宽带吗', en: 'Is there broadband?' }
  supply.questions.push({ key: 'broadband', type: 'bool', label, field: 'answer/living/broadband', required: true })
  return form
}

beforeAll(async () => {
  world = await World.make(6, before)
})

afterAll(() => world?.end())

test('a draft is begun under the form before', async () => {
  phone = await world.enrolled('张秀英', 'work_team', '手机1')
  await phone.isWhole()
  await phone.household(0)
  await phone.check()
  await phone.choose('visit_result', 'completed')
  expect(await phone.get('form-update').count()).toBe(0)
  await phone.toPage('income/earned')
  await phone.type('wage_income', '26600.5')
  await phone.toPage('water/supply')
  expect(await phone.question('broadband').count()).toBe(0)
  await phone.choose('water_source', 'rain')
  await phone.toPage('housing/dwelling')
  await phone.choose('structure', null)
})

test('the app with the next form says what changed and what has no place, and keeps every answer', async () => {
  await world.release(Release.copy(join(world.folder, 'app-after')).withForm(NEWEST, nextForm()).withNewPage().folder)
  await phone.page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()))
  await phone.get('update').click()
  await phone.unlock()
  await phone.get('step').waitFor()
  await phone.toPage('visit/result')
  const said = await phone.get('form-update').innerText()
  expect(said).toContain('ruhu-first/1.0.0')
  expect(said).toContain('ruhu-first/1.1.0')
  expect(said).toMatch(/新增.*家里通了宽带吗/)
  expect(said).toMatch(/主要饮用水源/)
  expect(said).toMatch(/房屋结构/)
  expect(said).toMatch(/水源\s*雨水窖/)
  await phone.toPage('income/earned')
  expect(await phone.question('wage_income').locator('input').inputValue()).toBe('26600.5')
  await phone.toPage('water/supply')
  await phone.question('broadband').waitFor()
  expect(await phone.question('structure').count()).toBe(0)
})

test('the check is filled in and submitted under it, with the answers that have no place', async () => {
  await phone.toPage('visit/result')
  await fillToTheEnd(phone)
  await phone.get('form-update').waitFor()
  await explainAll(phone)
  await phone.get('submit').click()
  await phone.get('check').waitFor()
  await phone.page.locator('a.visit').first().click()
  const rows = phone.page.locator('main')
  for (const text of [/雨水窖/, /宽带/, /结构/]) await rows.getByText(text).first().waitFor()
  expect(phone.complaints).toEqual([])
})
