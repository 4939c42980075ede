// A check that is being filled in, as the core asks it now. Nothing is kept here: with every answer the form is asked
// for again, so skip logic, totals and findings are always those of what is stored.

import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { useRouter } from 'vue-router'

import { ask, problemOf } from './core/core'
import type { Finding, HouseholdPage, Said, Val } from './core/types'
import { readForm, type FormPage, type Item, type Page } from './form'
import { isShort, keepShort } from './place'
import { pick, say, sayProblem } from './words'

/** Does something to a draft and says what went wrong; a check that is over meanwhile is shown as it was submitted. */
export function useAttempt(check: string): { said: Ref<string>; attempt: (what: () => Promise<void>) => Promise<void> } {
  const router = useRouter()
  const said = ref('')
  async function attempt(what: () => Promise<void>): Promise<void> {
    try {
      await what()
      said.value = ''
    } catch (error) {
      const problem = problemOf(error)
      if (problem.code === 'not_a_draft') await router.replace(`/check/${check}/read`)
      else said.value = sayProblem(problem)
    }
  }
  return { said, attempt }
}

/** What a question is answered with; nothing takes the answer back. */
export type What = Said['what'] | null

export interface Visit {
  check: string
  form: ShallowRef<FormPage | null>
  household: ShallowRef<HouseholdPage | null>
  /** Whether only the short form (★) is asked. */
  short: Ref<boolean>
  load: () => Promise<void>
  setShort: (short: boolean) => Promise<void>
  /** Does something to the draft, with calls that are made at once, and reads the form anew. Rejects with the core's problem. */
  change: (...calls: Promise<unknown>[]) => Promise<void>
  /** Ends when everything that was begun is stored and shown. */
  settled: () => Promise<void>
}

export function useVisit(check: string): Visit {
  const form = shallowRef<FormPage | null>(null)
  const household = shallowRef<HouseholdPage | null>(null)
  const short = ref(isShort(check))
  let last: Promise<unknown> = Promise.resolve()
  let reading: Promise<FormPage> | null = null

  async function read(): Promise<void> {
    form.value = await readForm(check, short.value)
  }
  /** Asks for the form right behind the calls before it, which the core answers in order; once for all of one moment. */
  function readBehind(): Promise<FormPage> {
    reading ??= Promise.resolve().then(() => {
      reading = null
      return readForm(check, short.value)
    })
    return reading
  }
  async function load(): Promise<void> {
    await read()
    household.value = await ask({ call: 'household', household: form.value!.line.household })
  }
  async function setShort(now: boolean): Promise<void> {
    short.value = now
    keepShort(check, now)
    await read()
  }
  async function change(...calls: Promise<unknown>[]): Promise<void> {
    const behind = readBehind()
    const show = async (): Promise<void> => {
      // What does not fit stays in its field, to be mended: the form is drawn anew only with what was kept.
      await Promise.all(calls)
      form.value = await behind
    }
    const done = show()
    last = Promise.allSettled([last, done, behind])
    await done
  }
  async function settled(): Promise<void> {
    await last
  }
  return { check, form, household, short, load, setShort, change, settled }
}

export const answer = (visit: Visit, page: Page, item: Item, what: What, element: string | null = null): Promise<void> =>
  visit.change(
    ask({
      call: 'answer_question',
      check: visit.check,
      question: item.question,
      member: page.member,
      element,
      said: what === null ? null : { what, source: null, reason: null },
    }),
  )

export const acceptLast = (visit: Visit, page: Page, items: Item[]): Promise<void> =>
  visit.change(...items.map(({ question }) => ask({ call: 'accept_last', check: visit.check, question, member: page.member })))

export const zeroRest = (visit: Visit, page: Page): Promise<void> =>
  visit.change(ask({ call: 'zero_rest', check: visit.check, page: page.id, short: visit.short.value }))

export const confirmFinding = (visit: Visit, findings: Finding[], reason: string): Promise<void> =>
  visit.change(...findings.flatMap(({ key }) => (key ? [ask({ call: 'confirm_finding', check: visit.check, key, reason })] : [])))

export const isAsked = (item: Item): boolean => item.type !== 'calculated' && item.type !== 'note'
export const isMoney = (item: Item): boolean => item.unit === 'fen' || item.unit === 'fen_per_year'
/** What has an answer of last time and none now. */
export const canAccept = (page: Page): Item[] => page.items.filter((item) => isAsked(item) && !item.answered && item.last)
export const openAmounts = (page: Page): Item[] => page.items.filter((item) => isAsked(item) && !item.answered && isMoney(item))

/** Whether it keeps the check from being submitted. */
export const isOpen = (finding: Finding): boolean => finding.severity === 'block' || finding.reason === null
export const isMissing = (finding: Finding): boolean => finding.id === 'required'
export const findingsAt = (form: FormPage, page: Page, item: Item): Finding[] =>
  form.view.findings.filter((one) => one.question === item.question && one.member === page.member)

/** Where the question of a finding stands. */
export const pageOf = (form: FormPage, finding: Finding): Page | undefined =>
  form.view.pages.find((page) => page.member === finding.member && page.items.some((item) => item.question === finding.question))

/** The question of a finding, with whose it is. */
export function titleOf(form: FormPage, finding: Finding): string {
  const item = pageOf(form, finding)?.items.find((one) => one.question === finding.question)
  return [finding.member_name, item ? pick(item.label) : finding.question].filter(Boolean).join(' · ')
}

/** The title of a screen, with its number on paper and whose it is. */
export const pageTitle = (page: Page): string =>
  [page.no, pick(page.title), page.member_name && `· ${page.member_name}`].filter(Boolean).join(' ')

export const unitOf = (item: Item): string => (item.unit && item.unit !== 'year' ? say(`unit_${item.unit}`) : '')

/** A whole number of the smallest part, with its decimals. */
export function withDecimals(value: number, decimals: number): string {
  if (decimals === 0) return String(value)
  const digits = String(Math.abs(value)).padStart(decimals + 1, '0')
  return `${value < 0 ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/** A stored value as people type it: yuan for fen, without idle zeros. A masked one is typed anew. */
export function typed(item: Item, value: Val): string {
  if (typeof value === 'number') {
    const text = withDecimals(value, item.decimals)
    return item.decimals > 0 ? text.replace(/\.?0+$/, '') : text
  }
  return typeof value === 'string' && !isMasked(item, value) ? value : ''
}

/** Whether a value is the mask over what an earlier visit left of a private one. */
export const isMasked = (item: Item, value: Val): boolean =>
  item.private && typeof value === 'string' && value.startsWith('****')

/** A value as people read it, with its unit. */
export function read(item: Item, value: Val, household: HouseholdPage | null): string {
  if (value === null) return ''
  if (Array.isArray(value) && !value.length) return say('app_none_of_these')
  if (Array.isArray(value)) return value.map((one) => read(item, one, household)).join(say('app_comma'))
  if (typeof value === 'boolean') return say(value ? 'app_yes' : 'app_no')
  if (typeof value === 'number') return `${withDecimals(value, item.decimals)} ${unitOf(item)}`.trim()
  if (value.startsWith('~')) return say(`app_answer_${value.slice(1)}`)
  if (item.type === 'member') return household?.members.find((member) => member.id === value)?.name ?? value
  if (item.type === 'position') return isMasked(item, value) ? value : say('app_position_is', { metres: value.split(',')[2] ?? '—' })
  const choice = item.choices.find((one) => one.code === value)
  return choice ? pick(choice.label) : value
}

/** The answer of a question as people read it: its value, or why there is none. */
export const readItem = (item: Item, household: HouseholdPage | null): string =>
  item.state ? say(`app_answer_${item.state.slice(1)}`) : read(item, item.value, household)
