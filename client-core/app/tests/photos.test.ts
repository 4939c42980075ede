// A photo and a signature: taken with no network, submitted without waiting, sent after all text, seen by others.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { explainAll } from './filling'
import { PROGRAMS, World, type Phone } from './world'

/** What a camera writes beside a picture. */
const POSITION = 'GPS 29.4233 N 111.0512 E'
const BYTES_MAX = 300 * 1024

let world: World
let phone: Phone

beforeAll(async () => {
  world = await World.make(12)
})

afterAll(() => world?.end())

/** A picture as large as a camera's, with something to see in it, and with its position beside it. */
async function pictureOfCamera(): Promise<Buffer> {
  const base64 = await phone.page.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 4_000, height: 3_000 })
    const context = canvas.getContext('2d')!
    for (let at = 0; at < 4_000; at += 1) {
      context.fillStyle = `hsl(${(at * 7919) % 360} 60% ${30 + (at % 40)}%)`
      context.fillRect((at * 613) % 4_000, (at * 389) % 3_000, 130, 90)
    }
    return canvas.toDataURL('image/jpeg', 0.95).split(',')[1]!
  })
  const picture = Buffer.from(base64, 'base64')
  const beside = Buffer.from(`Exif\0\0${POSITION}`)
  const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0, beside.length + 2]), beside])
  return Buffer.concat([picture.subarray(0, 2), segment, picture.subarray(2)])
}

const states = (): Promise<(string | null)[]> =>
  phone.page.locator('figure[data-photo]').evaluateAll((all) => all.map((one) => one.getAttribute('data-state')))

async function sign(question: string): Promise<void> {
  const before = (await states()).length
  const pad = phone.question(question).locator('canvas')
  await pad.scrollIntoViewIfNeeded()
  const box = (await pad.boundingBox())!
  await phone.page.mouse.move(box.x + 20, box.y + 20)
  await phone.page.mouse.down()
  await phone.page.mouse.move(box.x + 120, box.y + 60, { steps: 8 })
  await phone.page.mouse.move(box.x + 40, box.y + 80, { steps: 8 })
  await phone.page.mouse.up()
  await phone.get('signature-done').click()
  await phone.page.waitForFunction((had) => document.querySelectorAll('figure[data-photo]').length > had, before)
  await phone.kept(question)
}

test('a crack is photographed with no network, and a slip is taken out again', async () => {
  phone = await world.enrolled('张秀英', 'work_team', '手机1')
  // All of the app is on the phone when its service worker stands.
  await phone.page.evaluate(() => navigator.serviceWorker.ready.then(() => true))
  await world.stop()
  await phone.household(0)
  await phone.check()
  await phone.choose('visit_result', 'completed')
  await phone.toPage('housing/dwelling')
  await phone.choose('lives_where', null)
  await phone.toPage('housing/safety')
  await phone.choose('house_signs', 'cracked_wall')
  const taken = await pictureOfCamera()
  expect(taken.length).toBeGreaterThan(1_000_000)
  const take = phone.question('house_photos').locator('input[type="file"]')
  for (const [count, name] of ['crack.jpg', 'slip.jpg'].entries()) {
    await take.setInputFiles({ name, mimeType: 'image/jpeg', buffer: taken })
    await phone.page.waitForFunction((before) => document.querySelectorAll('figure[data-photo]').length > before, count)
  }
  expect(await states()).toEqual(['draft', 'draft'])
  await phone.get('photo-remove').last().click()
  await phone.page.waitForFunction(() => document.querySelectorAll('figure[data-photo]').length === 1)
  expect((await states()).length).toBe(1)
})

test('a householder signs by finger, and the check is submitted without waiting', async () => {
  await phone.toPage('confirm/household')
  await phone.choose('confirm_kind', null)
  await sign('household_confirm')
  await phone.toPage('confirm/visitors')
  await sign('visitor_signs')
  await sign('visitor_signs')
  expect((await states()).length).toBe(2)
  await phone.get('steps').click()
  await phone.get('to-review').click()
  await explainAll(phone)
  await phone.get('submit').click()
  await phone.get('photo-strip').waitFor()
  expect(await states()).toEqual(Array(4).fill('waiting'))
})

test('the photos follow the text, and each says that the server has it', async () => {
  await phone.go('/sync')
  await phone.get('photos-waiting').filter({ hasText: '4 张' }).waitFor()
  expect(await phone.get('all-received').count()).toBe(0)
  await world.start()
  await phone.sync()
  await phone.get('photos-sent').filter({ hasText: '收到 4 张' }).waitFor()
  await phone.get('all-received').waitFor()
  expect(await phone.get('unsent').innerText()).toBe('0')
  await phone.household(0)
  await phone.get('photo-strip').waitFor()
  expect(await states()).toEqual(Array(4).fill('received'))
  expect(phone.complaints).toEqual([])
})

test('another phone fetches one when somebody looks', async () => {
  const other = await world.enrolled('李国强', 'work_team', '手机2')
  await other.household(0)
  const photo = other.page.locator('figure[data-photo][data-state="elsewhere"]').first()
  await photo.locator('button').first().click()
  const whole = photo.locator('[role="dialog"] img')
  await whole.waitFor()
  const width = await whole.evaluate(async (image: HTMLImageElement) => {
    await image.decode()
    return image.naturalWidth
  })
  expect([900, 1_600]).toContain(width)
})

test('a device without a browser opens them: small enough, and without the position', async () => {
  const device = (...args: string[]): string => {
    const env = { ...process.env, RUHU_STORE: join(world.folder, 'device'), RUHU_PASSPHRASE: 'a passphrase of a test' }
    return execFileSync(join(PROGRAMS, 'ruhu-under-test'), [...args, '--json'], { env, stdio: 'pipe' }).toString()
  }
  device('enrol', world.invite('赵强', 'work_team'))
  device('sync')
  const households = JSON.parse(device('list')) as { id: string }[]
  const photos = households.flatMap(({ id }) =>
    (JSON.parse(device('photo', 'list', id)) as { photo: string }[]).map(({ photo }) => ({ id, photo })),
  )
  expect(photos.length).toBe(4)
  const kinds = photos.map(({ id, photo }) => {
    const file = join(world.folder, photo)
    device('photo', 'save', id, photo, file)
    const picture = readFileSync(file)
    expect(picture.length).toBeLessThanOrEqual(BYTES_MAX)
    expect(picture.includes(POSITION)).toBe(false)
    return picture.subarray(1, 4).toString() === 'PNG' ? 'signature' : 'photo'
  })
  expect(kinds.sort()).toEqual(['photo', 'signature', 'signature', 'signature'])
})
