// What page and worker say to each other, and which answer each call has.

import type {
  Call,
  CheckLine,
  CheckPage,
  Conflict,
  KnownDevice,
  DraftLine,
  Enrolment,
  Event,
  FormPage,
  ListedHousehold,
  HouseholdPage,
  LeadLine,
  Offered,
  Overview,
  Problem,
  Progress,
  QuestionText,
  RefusedLine,
  Standing,
  Status,
  SyncResult,
  Village,
} from './types'
import type { PhotoAsked, PhotoTold } from './photo-protocol'

/** The answer of each call. */
export interface Answers {
  standing: Standing
  create: Standing
  unlock: Standing
  lock: null
  pause: Standing
  resume: Standing
  set_pin: null
  set_phone_lock: null
  remove_phone_lock: null
  unlock_by_phone: Standing
  remember: null
  change_passphrase: null
  enrol_by_link: Enrolment
  enrol_by_code: Enrolment
  villages: Village[]
  groups: [string, number][]
  households: ListedHousehold[]
  household: HouseholdPage
  history: Event[]
  check: CheckPage
  check_form: FormPage
  question_texts: Record<string, QuestionText>
  answer_question: null
  accept_last: null
  confirm_finding: null
  zero_rest: number
  findings: LeadLine[]
  not_applicable: DraftLine[]
  drafts: CheckLine[]
  start_check: string
  replace_check: string
  withdraw_check: null
  submit: null
  edit_household: null
  new_household: string
  add_member: string
  end_member: null
  codes: Offered[]
  overview: Overview
  export_bundle: string
  conflicts: Conflict[]
  settle: null
  reveal: string | null
  status: Status
  refused: RefusedLine[]
  devices: KnownDevice[]
  sync: SyncResult
}

export type Name = Call['call']
export type CallOf<N extends Name> = Extract<Call, { call: N }>

/** From the page to the worker. */
export type Asked = { ask: 'call'; id: number; call: Call } | PhotoAsked | { ask: 'stop' }

/** From the worker to the page. */
export type Told =
  | { tell: 'ready' }
  | { tell: 'failed'; problem: Problem }
  | { tell: 'answer'; id: number; answer: string }
  | { tell: 'problem'; id: number; problem: Problem }
  | { tell: 'progress'; progress: Progress }
  | PhotoTold

export const problem = (code: string, detail = ''): Problem => ({ code, detail, wait_ms: 0 })
