// What the app says is in the project's table of messages, and nothing in the table is said by nobody.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { parse } from 'smol-toml'
import { expect, test } from 'vitest'

const SOURCE = fileURLToPath(new URL('../src', import.meta.url))
const MESSAGES = fileURLToPath(new URL('../../../schemas/messages.toml', import.meta.url))
/** Said by code: a problem's, which a test of the core holds, and a unit's or name's, which one of the survey does. */
const SAID_ELSEWHERE = /^app_error_/

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(vue|ts)$/.test(name))
const source = files.map((name) => readFileSync(join(SOURCE, name), 'utf8')).join('\n')
const table = Object.keys(parse(readFileSync(MESSAGES, 'utf8')))
/** Codes that stand whole in the source, and beginnings that something is added to. */
const whole = new Set([...source.matchAll(/'(app_[a-z0-9_]+)'/g)].map(([, code]) => code!))
const beginnings = [...source.matchAll(/`(app_[a-z0-9_]*_)\$\{/g)].map(([, beginning]) => beginning!)

test('every code that the app says has its words', () => {
  const known = new Set(table)
  expect([...whole].filter((code) => !known.has(code))).toEqual([])
  expect(beginnings.filter((beginning) => !table.some((code) => code.startsWith(beginning)))).toEqual([])
})

test('no words of the app are said by nobody', () => {
  const said = (code: string): boolean => whole.has(code) || beginnings.some((beginning) => code.startsWith(beginning))
  expect(table.filter((code) => code.startsWith('app_') && !SAID_ELSEWHERE.test(code) && !said(code))).toEqual([])
})

test('no Chinese stands in the source beside the names of the languages', () => {
  const lines = source.split('\n').filter((line) => /[\u4e00-\u9fff]/.test(line) && !/^\s*(\/\/|\/?\*)/.test(line))
  expect(lines.filter((line) => !line.includes("['zh', '中文']"))).toEqual([])
})
