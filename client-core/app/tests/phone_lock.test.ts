// The phone's own lock opens the store from cold, offline, and only with its owner; the passphrase goes on.
// Chromium's virtual authenticator stands for the phone's.

import type { CDPSession } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { PASSPHRASE, World, type Phone } from './world'

let world: World
let phone: Phone
let lock: CDPSession
let authenticatorId: string

const ownerIsThere = (isUserVerified: boolean) => lock.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified })

beforeAll(async () => {
  world = await World.make(4)
  phone = await world.enrolled('张秀英', 'work_team', '手机1', world.url.replace('127.0.0.1', 'localhost'))
  lock = await phone.page.context().newCDPSession(phone.page)
  await lock.send('WebAuthn.enable')
  const options = {
    protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true,
    hasPrf: true, isUserVerified: true, automaticPresenceSimulation: true,
  } as const
  authenticatorId = (await lock.send('WebAuthn.addVirtualAuthenticator', { options })).authenticatorId
})

afterAll(() => world?.end())

async function turnOn(passphrase: string): Promise<void> {
  await phone.go('/today')
  await phone.go('/settings')
  await phone.get('phone-lock-passphrase').fill(passphrase)
  await phone.get('phone-lock-set').click()
}

test('it is turned on with the passphrase alone', async () => {
  await turnOn('不是这个口令啊不是这个')
  await phone.get('phone-lock-said').waitFor()
  expect(await phone.get('phone-lock-on').count()).toBe(0)
  await turnOn(PASSPHRASE)
  await phone.get('phone-lock-on').waitFor()
})

test('it opens the store from cold, with no network', async () => {
  await phone.isWhole()
  await world.stop()
  await phone.offline(true)
  await phone.page.reload()
  await phone.get('unlock-by-phone').click()
  await phone.page.locator('.van-tabbar').waitFor()
  await phone.go('/village')
  await phone.get('household').nth(3).waitFor()
})

test('somebody whom the phone does not know is left with the passphrase', async () => {
  await ownerIsThere(false)
  await phone.page.reload()
  await phone.get('unlock-by-phone').click()
  await phone.get('unlock-said').filter({ hasText: '手机没有解锁' }).waitFor()
  expect(await phone.page.locator('.van-tabbar').count()).toBe(0)
  await phone.unlock()
  await phone.page.locator('.van-tabbar').waitFor()
  await ownerIsThere(true)
})

test('a phone that lost its key is told apart, and the passphrase opens', async () => {
  await lock.send('WebAuthn.clearCredentials', { authenticatorId })
  await phone.page.reload()
  await phone.get('unlock-by-phone').click()
  await phone.get('unlock-said').waitFor()
  await phone.unlock()
  await phone.page.locator('.van-tabbar').waitFor()
})

test('turned off, the passphrase alone is asked for', async () => {
  await phone.go('/settings')
  await phone.get('phone-lock-remove').click()
  await phone.get('phone-lock-set').waitFor()
  await phone.page.reload()
  await phone.get('passphrase').waitFor()
  expect(await phone.get('unlock-by-phone').count()).toBe(0)
  await phone.unlock()
  await phone.page.locator('.van-tabbar').waitFor()
  expect(phone.complaints).toEqual([])
})
