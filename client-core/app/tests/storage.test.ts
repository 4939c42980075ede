// What a thief of the phone finds: every file of the browser's profile is searched for what the village's roster and a
// visit hold. A marker that is put in clear on purpose is found by the same search.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { World, type Phone } from './world'

const HOUSEHOLDS = 400
const MARKERS_MIN = 1_000
const NOTE = '门前有一棵大槐树记号'
const CLEAR = '439900000000000000'
const CONTROL = `marker ${CLEAR} in clear`

let world: World
let phone: Phone

beforeAll(async () => {
  world = await World.make(HOUSEHOLDS)
})

afterAll(() => world?.end())

/** Every file below a folder. */
const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())

/** The bytes of a file as texts: UTF-8 byte by byte, and UTF-16 at even and at odd places. */
function textsOf(path: string): string[] {
  const bytes = readFileSync(path)
  return [bytes.toString('latin1'), bytes.toString('utf16le'), bytes.subarray(1).toString('utf16le')]
}

/** Which texts stand in the files of a folder, and in which. */
function found(folder: string, markers: string[]): string[] {
  const forms = markers.flatMap((marker) => [marker, Buffer.from(marker).toString('latin1')])
  const holds = (path: string): boolean => textsOf(path).some((text) => forms.some((form) => text.includes(form)))
  return filesOf(folder).filter(holds)
}

/** Which numbers stand in the files of a folder; they are many, so the files' runs of digits are looked up in them. */
function numbersFound(folder: string, numbers: ReadonlySet<string>): string[] {
  const lengths = new Set([...numbers].map((number) => number.length))
  const hits = new Set<string>()
  for (const path of filesOf(folder)) {
    for (const run of textsOf(path).flatMap((text) => text.match(/\d{11,}X?/g) ?? [])) {
      for (const length of lengths) {
        for (let at = 0; at + length <= run.length; at += 1) {
          const piece = run.slice(at, at + length)
          if (numbers.has(piece)) hits.add(piece)
        }
      }
    }
  }
  return [...hits]
}

test('certificate numbers, phones and answers are in no file of the browser', async () => {
  phone = await world.enrolled('张秀英', 'work_team', '手机1')
  await phone.household(0)
  await phone.check()
  await phone.choose('visit_result', 'completed')
  await phone.toPage('confirm/note')
  await phone.type('note', NOTE)
  await phone.page.evaluate((marker) => localStorage.setItem('control', marker), CONTROL)
  await phone.close()
  const roster = readFileSync(join(world.folder, 'roster-0.csv'), 'utf8')
  const certificates = new Set(roster.match(/(?<!\d)4399\d{13}[\dX]/g))
  const phones = new Set(roster.match(/(?<!\d)1\d{10}(?!\d)/g))
  expect(certificates.size).toBeGreaterThan(MARKERS_MIN)
  expect(phones.size).toBeGreaterThan(HOUSEHOLDS / 2)
  expect(found(phone.profile, [CONTROL])).not.toEqual([])
  expect(numbersFound(phone.profile, new Set([...CLEAR.matchAll(/\d+/g)].map(String)))).toEqual([CLEAR])
  expect(numbersFound(phone.profile, new Set([...certificates, ...phones]))).toEqual([])
  expect(found(phone.profile, [NOTE])).toEqual([])
})
