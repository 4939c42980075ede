// What the app says, from the project's one table of messages, in the person's language.

import messages from 'virtual:messages'

import type { Label, Problem, SendState } from './core/types'
import { settings } from './settings'

export type Values = Record<string, string | number>

/** The message of a code, with each `{name}` replaced; the code itself when the table does not have it. */
export function say(code: string, values: Values = {}): string {
  const words = messages[code]
  if (!words) return code
  return words[settings.lang].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

export const pick = (text: Label): string => text[settings.lang]

export function sayProblem(problem: Problem): string {
  const code = `app_error_${problem.code}`
  const seconds = Math.ceil(problem.wait_ms / 1_000)
  const detail = problem.detail || problem.code
  return say(messages[code] ? code : 'app_error_failed', { seconds, detail })
}

export const sayState = (send: SendState): string => say(`ruhu_state_${send.state}`)

/** Why something is kept apart or was refused. */
export function sayRule(rule: string | null): string {
  if (!rule) return ''
  const code = `ruhu_rule_${rule}`
  return messages[code] ? say(code) : rule
}

/** What says a moment as China's clocks show it. Made once: that takes longer than a hundred times saying one. */
const inChina = (parts: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Shanghai', ...parts })
const DAY = inChina({ dateStyle: 'short' })
const TIME = inChina({ timeStyle: 'short' })

/** The day of a moment in China, `YYYY-MM-DD`. */
export const dayInChina = (ms: number): string => DAY.format(ms)

/** A moment as people in China read it, with as much of the date as today leaves open. */
export function when(ms: number | null): string {
  if (ms === null) return '—'
  const day = dayInChina(ms)
  const time = TIME.format(ms)
  return day === dayInChina(Date.now()) ? `${say('app_today')} ${time}` : `${day} ${time}`
}

/** How long ago a moment was, in the unit that fits. */
export function age(ms: number): string {
  const hours = Math.floor(Math.max(0, Date.now() - ms) / 3_600_000)
  if (hours < 1) return say('app_just_now')
  return hours < 48 ? say('app_hours_ago', { count: hours }) : say('app_days_ago', { count: Math.floor(hours / 24) })
}

export function bytes(count: number): string {
  return count < 1_000 ? `${count} B` : `${(count / 1_000).toFixed(1)} KB`
}
