// The questions of a check as screens. What the core tells comes from the field table today; forms can take its
// place here without any screen knowing.

import { ask } from './core/core'
import type { DraftLine, Form, MemberLine, Question, Scalar, Text } from './core/types'
import { say } from './words'

/** The order in which a visit goes; what is not named comes last. */
const ORDER = [
  'visit', 'member', 'education', 'medical', 'pension', 'income', 'spending', 'debt', 'land', 'housing', 'water',
  'living', 'shock', 'care', 'need', 'policy', 'satisfaction',
]

/** One screen of questions. */
export interface Step {
  /** Names the screen in an address. */
  id: string
  title: string
  items: Item[]
}

/** One question of one screen. */
export interface Item {
  /** The key of its answer; of a set, what its elements begin with. */
  key: string
  question: Question
}

let known: Promise<Form> | null = null

export function form(): Promise<Form> {
  known ??= ask({ call: 'form' })
  return known
}

const rank = (name: string): number => {
  const at = ORDER.indexOf(name)
  return at === -1 ? ORDER.length : at
}

/** The screens of a check of a household: each section, and those of members once for each member. */
export function steps(of: Form, members: MemberLine[]): Step[] {
  const sections = [...of.sections].sort((a, b) => rank(a.name) - rank(b.name))
  return sections.flatMap((section) => {
    const title = say(`app_section_${section.name}`)
    if (!section.per_member) {
      const items = section.questions.map((question) => ({ key: question.path, question }))
      return [{ id: section.name, title, items }]
    }
    return members.map((member) => ({
      id: `${section.name}.${member.id}`,
      title: `${title} · ${member.name}`,
      items: section.questions.map((question) => ({ key: `${question.path}/${member.id}`, question })),
    }))
  })
}

/** The key of one element of a question that takes several. */
export const elementKey = (item: Item, code: string): string => `${item.key}/${code}`

export type AnswersByKey = ReadonlyMap<string, DraftLine>

/** The answers to a question: one, or one for each chosen element of a set. */
export function answersTo(item: Item, answers: AnswersByKey): DraftLine[] {
  if (item.question.kind.type !== 'many') {
    const found = answers.get(item.key)
    return found ? [found] : []
  }
  return item.question.kind.choices.flatMap((choice) => {
    const found = answers.get(elementKey(item, choice.code))
    return found ? [found] : []
  })
}

export const isAnswered = (item: Item, answers: AnswersByKey): boolean => answersTo(item, answers).length > 0

/** A stored value as people type it: yuan for fen. */
export function typed(question: Question, value: Scalar): string {
  if (typeof value === 'number') {
    const whole = (value / 10 ** question.decimals).toFixed(question.decimals)
    return question.decimals > 0 ? whole.replace(/\.?0+$/, '') : whole
  }
  return typeof value === 'string' && !value.startsWith('~') ? value : ''
}

/** The label of a code among choices. */
export function labelOf(choices: { code: string; label: Text }[], code: string | null): Text {
  const found = choices.find((choice) => choice.code === code)
  return found?.label ?? { zh: code ?? '', en: code ?? '' }
}
