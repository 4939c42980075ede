// A draft as its form asks it, put together: the core tells what is always so of a form's questions once, and after
// each answer what may have changed.

import { ask } from './core/core'
import type * as told from './core/types'

/** A question on a screen, with what is always so of it; its choices are those offered now. */
export type Item = told.Item & told.QuestionText
export interface Page extends Omit<told.Page, 'items'> {
  items: Item[]
}
export interface FormPage extends Omit<told.FormPage, 'view'> {
  view: Omit<told.View, 'pages'> & { pages: Page[] }
}

type Texts = Record<string, told.QuestionText>

/** The texts of the forms that were shown, by id and version. */
const known = new Map<string, Promise<Texts>>()

function textsOf(form: string): Promise<Texts> {
  const found = known.get(form) ?? ask({ call: 'question_texts', form })
  known.set(form, found)
  found.catch(() => known.delete(form))
  return found
}

function whole(item: told.Item, texts: Texts): Item {
  const text = texts[item.question]!
  const { offered } = item
  const choices = offered ? text.choices.filter(({ code }) => offered.includes(code)) : text.choices
  return { ...text, ...item, choices }
}

/** A draft as its form asks it now. */
export async function readForm(check: string, short: boolean): Promise<FormPage> {
  const page = await ask({ call: 'check_form', check, short })
  const texts = await textsOf(page.view.form)
  const pages = page.view.pages.map((one) => ({ ...one, items: one.items.map((item) => whole(item, texts)) }))
  return { ...page, view: { ...page.view, pages } }
}
