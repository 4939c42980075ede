// Written from the Rust types of client-core/web; UPDATE_EXPECT=1 writes it anew.

export type Label = { 
/**
 * Simplified Chinese.
 */
zh: string, 
/**
 * English.
 */
en: string, };
export type Scalar = boolean | number | string | null;
export type Problem = { 
/**
 * A stable code; `app_error_<code>` in the message table says it to people.
 */
code: string, 
/**
 * One English sentence without personal data; of what the form blocks, its rule and message.
 */
detail: string, 
/**
 * For how many milliseconds no passphrase is tried.
 */
wait_ms: number, };
export type Standing = { 
/**
 * Whether there is a store.
 */
there: boolean, 
/**
 * Whether it is open, and its screen too.
 */
open: boolean, 
/**
 * Whether it is open behind a shut screen, which the PIN opens.
 */
paused: boolean, 
/**
 * Whether a PIN was chosen; known only while the store is open.
 */
has_pin: boolean, 
/**
 * Whether the device is enrolled; known only while it is open.
 */
enrolled: boolean, 
/**
 * For how many more milliseconds no passphrase is tried.
 */
locked_ms: number, 
/**
 * How many wrong tries there were since the last right one.
 */
wrong_tries: number, 
/**
 * Where the person was, as the page said it.
 */
place: string | null, };
export type Enrolment = { 
/**
 * Whose device it is; empty while the words wait for a person.
 */
user_name: string, 
/**
 * How many villages it may work in.
 */
villages: number, 
/**
 * The server's key in six words.
 */
words: string, 
/**
 * Whether it is done; otherwise call again with the words that a person compared.
 */
done: boolean, };
export type VillageLine = { id: string, code: string, name: string, granted: boolean, households: number, synced_ms: number | null, mismatch_ms: number | null, };
export type DeviceState = { device: string, name: string, user: string, user_name: string, role: string, until_ms: number, revoked: boolean, provisional: boolean, server: string, server_words: string, };
export type Unsent = { 
/**
 * Checks being filled in.
 */
drafts: number, 
/**
 * Changes not sealed into a batch yet.
 */
changes: number, 
/**
 * Batches never sent.
 */
queued: number, 
/**
 * Batches sent, without a receipt.
 */
sent: number, 
/**
 * Batches that the server will not take.
 */
turned_away: number, };
export type LastSync = { started_ms: number, ended_ms: number | null, complete: boolean, sent_bytes: number, got_bytes: number, receipts: number, batches: number, };
export type Status = { 
/**
 * Who it is; nothing before enrolment.
 */
device: DeviceState | null, 
/**
 * Its villages.
 */
villages: Array<VillageLine>, 
/**
 * What the server has not receipted.
 */
unsent: Unsent, 
/**
 * Own changes that the server did not accept.
 */
not_accepted: number, 
/**
 * Things that came and were set aside.
 */
set_aside: number, 
/**
 * The last sync.
 */
last_sync: LastSync | null, 
/**
 * When the server's log was found to contradict itself; nothing is accepted since.
 */
log_inconsistent_ms: number | null, 
/**
 * How far the device's clock was ahead of the server's.
 */
clock_ahead_ms: number | null, };
export type Progress = { receipts: number, to_send: number, relayed: number, villages_done: number, villages: number, };
export type SyncResult = { 
/**
 * `complete`, `paused`, or why the link failed: `unreachable`, `cut`, `stalled`, `unclear`, `address`, `other`.
 */
outcome: string, 
/**
 * How far it came.
 */
progress: Progress, 
/**
 * Own changes that the server did not accept.
 */
not_accepted: number, 
/**
 * Own batches still without a receipt.
 */
waiting: number, 
/**
 * Whether a person has to enrol this device again.
 */
provisional: boolean, 
/**
 * Whether the village's changes differ from the server's.
 */
mismatched: boolean, 
/**
 * Bytes of request bodies.
 */
sent_bytes: number, 
/**
 * Bytes of response bodies.
 */
got_bytes: number, };
export type RefusedLine = { 
/**
 * The document, `<kind>/<id>`.
 */
document: string, 
/**
 * The keys it wrote.
 */
keys: Array<string>, 
/**
 * Whether it is kept apart until two people decide; else it was refused.
 */
quarantined: boolean, 
/**
 * The rule's code.
 */
rule: string, 
/**
 * Whether it was written anew.
 */
replaced: boolean, };
export type DeviceLine = { 
/**
 * Its id.
 */
device: string, 
/**
 * Its label.
 */
name: string, 
/**
 * The role of its person.
 */
role: string, 
/**
 * Whether its key was revoked.
 */
revoked: boolean, };
export type DeviceSeen = { device: string, name: string, role: string, revoked: boolean, own: boolean, received_ms: number | null, received: number, waiting: number, lacking: number, };
export type Overview = { as_of_ms: number | null, households: number, done: number, never: number, conflicts: number, devices: Array<DeviceSeen>, };
export type Standpoint = { 
/**
 * `refused`, `quarantined`, `draft`, `queued`, `sent`, `held` or `received`.
 */
state: string, 
/**
 * The rule's code, of what was refused or is kept apart.
 */
rule: string | null, };
export type HouseholdLine = { id: string, head_name: string, group: string, address: string, number: string, members: number, conflicts: number, last_checked: string | null, last_result: string | null, send: Standpoint | null, };
export type MemberLine = { 
/**
 * The member's id.
 */
id: string, 
/**
 * The full name.
 */
name: string, 
/**
 * The relation to the head.
 */
relation: Label | null, 
/**
 * Whether it is the head.
 */
head: boolean, 
/**
 * The certificate number's mask.
 */
certificate: string | null, 
/**
 * The phone's mask.
 */
phone: string | null, 
/**
 * The labour ability.
 */
labour: Label | null, };
export type Attribution = { 
/**
 * The change that wrote it.
 */
change: string, 
/**
 * The value as people read it; a private one's mask.
 */
text: Label, 
/**
 * The author's device by its label.
 */
device_name: string, 
/**
 * The author's device.
 */
device: string, 
/**
 * The author's clock, a claim.
 */
claimed_ms: number, 
/**
 * The server's clock: the change was there by then.
 */
received_ms: number | null, };
export type Field = { 
/**
 * The key.
 */
key: string, 
/**
 * Its label.
 */
label: Label, 
/**
 * The member whose field it is.
 */
member: string | null, 
/**
 * The stored value; nothing of a private one.
 */
value: Scalar, 
/**
 * Whether it is private: a call opens it.
 */
private: boolean, 
/**
 * The code of where it comes from.
 */
source: string, 
/**
 * Why it was written.
 */
reason: string | null, 
/**
 * Whether another, unequal value stands beside it.
 */
open: boolean, 
/**
 * Who wrote it; its text is the value as people read it.
 */
written: Attribution, };
export type CheckLine = { 
/**
 * Its id.
 */
id: string, 
/**
 * Its village.
 */
village: string, 
/**
 * Its household.
 */
household: string, 
/**
 * The code of its type.
 */
check_type: string, 
/**
 * `draft`, `submitted` or `withdrawn`.
 */
state: string, 
/**
 * Whether it was started on this device.
 */
own: boolean, 
/**
 * When it was started, by the clock of the device that started it.
 */
started_ms: number, 
/**
 * When it was submitted or withdrawn.
 */
ended_ms: number | null, 
/**
 * What came of the visit; nothing before it is submitted.
 */
result: Label | null, 
/**
 * Where it stands; nothing for another device's.
 */
send: Standpoint | null, };
export type CheckPage = { 
/**
 * What lists show of it.
 */
line: CheckLine, 
/**
 * The check that it takes the place of.
 */
supersedes: string | null, 
/**
 * Its answers.
 */
fields: Array<Field>, };
export type DraftLine = { 
/**
 * The key.
 */
key: string, 
/**
 * Its label.
 */
label: Label, 
/**
 * The stored value.
 */
value: Scalar, 
/**
 * The value as people read it.
 */
text: Label, 
/**
 * The code of where it comes from, when something was said.
 */
source: string | null, 
/**
 * Why it was written.
 */
reason: string, };
export type Conflict = { 
/**
 * The document, `<kind>/<id>`.
 */
document: string, 
/**
 * Its id alone.
 */
document_id: string, 
/**
 * The field's key.
 */
key: string, 
/**
 * The field's label.
 */
label: Label, 
/**
 * Whether a named person is asked.
 */
asks: boolean, 
/**
 * The values; the first is shown until somebody decides.
 */
values: Array<Attribution>, };
export type HouseholdPage = { 
/**
 * Its id.
 */
id: string, 
/**
 * Its village.
 */
village: string, 
/**
 * The head's name.
 */
name: string, 
/**
 * The official number.
 */
number: string, 
/**
 * The group.
 */
group: string, 
/**
 * The address.
 */
address: string, 
/**
 * Members who have not left, the head first.
 */
members: Array<MemberLine>, 
/**
 * The fields of the register that are not a member's.
 */
fields: Array<Field>, 
/**
 * Its checks, the newest first.
 */
checks: Array<CheckLine>, 
/**
 * The answers of the newest submitted check.
 */
latest_answers: Array<Field>, 
/**
 * The fields with unequal concurrent values.
 */
conflicts: Array<Conflict>, 
/**
 * Where this device's own edits of the register stand.
 */
send: Standpoint | null, };
export type Event = { 
/**
 * The key.
 */
key: string, 
/**
 * Its label.
 */
label: Label, 
/**
 * The value as people read it.
 */
new: Label, 
/**
 * The values whose place it took.
 */
old: Array<Label>, 
/**
 * The author's device.
 */
device: string, 
/**
 * The author's clock, a claim.
 */
claimed_ms: number, 
/**
 * The server's clock: the change was there by then.
 */
received_ms: number | null, 
/**
 * Why.
 */
reason: string | null, 
/**
 * `shown`, `beside`, `replaced` or `settled_away`.
 */
fate: string, 
/**
 * Whether it is the choice of a settlement.
 */
settles: boolean, 
/**
 * Whether the claimed time is outside the proved window.
 */
outside_window: boolean, };
export type Val = boolean | number | string | null | Val[];
export type Source = "document" | "observed" | "correction" | "self_report" | "match_import" | "carried_forward";
export type Unit = "fen" | "fen_per_year" | "hundredth_mu" | "hundredth_square_metre" | "tenth_kilometre" | "metres" | "litres" | "milliseconds" | "seconds" | "minutes" | "days" | "months" | "year" | "people" | "times";
export type QuestionType = "one" | "many" | "int" | "decimal" | "text" | "date" | "month" | "bool" | "member" | "photo" | "signature" | "position" | "calculated" | "note";
export type Severity = "block" | "confirm";
export type Offered = { 
/**
 * The value.
 */
code: string, 
/**
 * What people read.
 */
label: Label, };
export type Last = { 
/**
 * The answer.
 */
value: Val, 
/**
 * The day of that check; `None` for what stands in the register.
 */
on: string | null, };
export type Item = { 
/**
 * Its name in the form.
 */
question: string, 
/**
 * Its number on paper.
 */
no: string | null, 
/**
 * The key that its answer is kept under; of several, the one they begin with. `None` where no field
 * takes it.
 */
key: string | null, 
/**
 * The key of the register that takes the answer over.
 */
register_key: string | null, 
/**
 * What kind of answer it takes.
 */
type: QuestionType, 
/**
 * The question.
 */
label: Label, 
/**
 * What helps to answer it.
 */
hint: Label | null, 
/**
 * The choices offered now. Of [`QuestionType::Many`] each is a key of its own, `<key>/<code>`.
 */
choices: Array<Offered>, 
/**
 * Up to how many answers; each under a key of its own, `<key>/1` and on. 0 for one.
 */
several: number, 
/**
 * What its number counts.
 */
unit: Unit | null, 
/**
 * Decimals that people write.
 */
decimals: number, 
/**
 * Whether the answer is private: kept sealed.
 */
private: boolean, 
/**
 * Part of the short form (★).
 */
short: boolean, 
/**
 * Whether it needs an answer.
 */
required: boolean, 
/**
 * Whether it has one.
 */
answered: boolean, 
/**
 * The answer as it is kept; null where there is none.
 */
value: Val, 
/**
 * Refused, unknown or not applicable, instead of a value.
 */
state: string | null, 
/**
 * The reason that was given.
 */
reason: string | null, 
/**
 * The last answer, to be offered.
 */
last: Last | null, 
/**
 * Where the answer comes from unless the surveyor says otherwise.
 */
source: Source, };
export type Page = { 
/**
 * Its name: section, group, and the member: `members/health@<member>`.
 */
id: string, 
/**
 * The section's key.
 */
section: string, 
/**
 * The section's number on paper.
 */
no: string | null, 
/**
 * The section's title.
 */
section_title: Label, 
/**
 * The group's title, or the section's.
 */
title: Label, 
/**
 * Whose screen it is, in a section of members: the member's id.
 */
member: string | null, 
/**
 * The member's name, where it is known here.
 */
member_name: string | null, 
/**
 * The questions.
 */
items: Array<Item>, 
/**
 * How many of them take an answer and have one.
 */
answered: number, 
/**
 * How many need one and have none.
 */
missing: number, };
export type FormProgress = { 
/**
 * Questions that are asked now.
 */
asked: number, 
/**
 * Of these, those that have an answer.
 */
answered: number, 
/**
 * Questions that need an answer and have none.
 */
missing: number, 
/**
 * Screens with something to ask.
 */
pages: number, 
/**
 * Screens on which nothing is missing and something is answered.
 */
pages_done: number, };
export type Finding = { 
/**
 * The validation's name; `required` for a missing answer.
 */
id: string, 
/**
 * What follows.
 */
severity: Severity, 
/**
 * The question.
 */
question: string, 
/**
 * Where a reason for it is kept: beside this key, at `<key>/reason`.
 */
key: string | null, 
/**
 * Whose it is.
 */
member: string | null, 
/**
 * The member's name, where it is known here.
 */
member_name: string | null, 
/**
 * What the surveyor is told.
 */
message: Label, 
/**
 * The reason that was given; a finding that needs one is settled by it.
 */
reason: string | null, };
export type View = { 
/**
 * Id and version of the form.
 */
form: string, 
/**
 * The title.
 */
title: Label, 
/**
 * Whether only the short form is asked.
 */
short: boolean, 
/**
 * The screens that have something to ask, in order.
 */
pages: Array<Page>, 
/**
 * How far the visit is.
 */
progress: FormProgress, 
/**
 * What does not hold, and what has no answer.
 */
findings: Array<Finding>, 
/**
 * Whether it can be submitted: nothing blocks, and each finding that needs a reason has one.
 */
ready: boolean, 
/**
 * The keys of answers to questions that no longer apply: they are submitted as not applicable.
 */
not_applicable: Array<string>, };
export type QuestionChange = { 
/**
 * Its key.
 */
question: string, 
/**
 * Its label; of a changed one the new label.
 */
label: Label, 
/**
 * What differs: `label`, `type`, `choices`, `required`, `relevant`, `validations`, `field`, `place`, `other`.
 */
what: Array<string>, };
export type Changes = { 
/**
 * Questions that are new.
 */
added: Array<QuestionChange>, 
/**
 * Questions that are no longer asked.
 */
removed: Array<QuestionChange>, 
/**
 * Questions that are asked otherwise.
 */
changed: Array<QuestionChange>, };
export type Misfit = { 
/**
 * The key of the answer.
 */
key: string, 
/**
 * Why: `no_question` or `no_such_choice`.
 */
why: string, };
export type FormUpdate = { 
/**
 * The version the draft was begun under; empty when that is not known.
 */
from: string, 
/**
 * What differs; `None` when this program no longer has the old version.
 */
changes: Changes | null, 
/**
 * Answers that the new version has no place for. They are kept, and submitted as they are.
 */
misfits: Array<Misfit>, };
export type FormPage = { 
/**
 * What lists show of it.
 */
line: CheckLine, 
/**
 * The screens, what is missing, and what does not hold.
 */
view: View, 
/**
 * What an update of the form means for this draft.
 */
update: FormUpdate | null, 
/**
 * The answers that the new version has no place for.
 */
misfits: Array<DraftLine>, };
export type RuleAnswer = "hit" | "clear" | "unknown";
export type InputLine = { 
/**
 * The name of the member whose it is.
 */
member_name: string | null, 
/**
 * What was looked at.
 */
label: Label, 
/**
 * What stood there.
 */
text: Label, };
export type LeadLine = { 
/**
 * The rule.
 */
rule: string, 
/**
 * What people read.
 */
title: Label, 
/**
 * Whether it hits.
 */
answer: RuleAnswer, 
/**
 * 1 very urgent to 3 ordinary.
 */
urgency: number, 
/**
 * What it looked at.
 */
inputs: Array<InputLine>, };
export type What = { "typed": string } | { "stored": Scalar } | { "state": string };
export type Said = { 
/**
 * The answer.
 */
what: What, 
/**
 * A code of `source`.
 */
source: string | null, 
/**
 * Why.
 */
reason: string | null, };
export type HouseholdQuery = { 
/**
 * What was typed: see [`ruhu_client_core::Query::text`].
 */
text: string, 
/**
 * Only this group.
 */
group: string | null, 
/**
 * Only households with open conflicts.
 */
conflicts_only: boolean, 
/**
 * Only households with something that is not received.
 */
unsent_only: boolean, 
/**
 * Those who are due first.
 */
by_due: boolean, 
/**
 * How many to skip.
 */
skip: number, 
/**
 * How many to give at most.
 */
limit: number, };
export type MemberSaid = { 
/**
 * The full name.
 */
full_name: string, 
/**
 * The certificate number.
 */
cert_no: string | null, 
/**
 * Other fields of a member by name, such as `relation_to_head`, as they are stored or typed.
 */
fields: { [key in string]: string }, };
export type Call = { "call": "standing" } | { "call": "create", passphrase: string, } | { "call": "unlock", passphrase: string, } | { "call": "lock" } | { "call": "pause" } | { "call": "resume", pin: string, } | { "call": "set_pin", pin: string, } | { "call": "remember", place: string, } | { "call": "change_passphrase", old: string, new: string, } | { "call": "enrol_by_link", link: string, device_name: string, } | { "call": "enrol_by_code", server: string, code: string, device_name: string, words: string | null, } | { "call": "villages" } | { "call": "groups", village: string, } | { "call": "households", village: string, query: HouseholdQuery, } | { "call": "household", household: string, } | { "call": "history", document: string, } | { "call": "check", check: string, } | { "call": "check_form", check: string, short: boolean, } | { "call": "answer_question", check: string, question: string, member: string | null, element: string | null, said: Said | null, } | { "call": "accept_last", check: string, question: string, member: string | null, } | { "call": "confirm_finding", check: string, key: string, reason: string, } | { "call": "zero_rest", check: string, page: string, short: boolean, } | { "call": "findings", check: string, } | { "call": "not_applicable", check: string, result: string, } | { "call": "drafts" } | { "call": "start_check", household: string, check_type: string, } | { "call": "replace_check", check: string, } | { "call": "withdraw_check", check: string, reason: string, } | { "call": "submit", check: string, result: string, } | { "call": "edit_household", household: string, key: string, said: Said, } | { "call": "new_household", village: string, group: string, address: string | null, phone: string | null, head: MemberSaid, } | { "call": "add_member", household: string, member: MemberSaid, } | { "call": "end_member", household: string, member: string, left_on: string, why: string, reason: string | null, } | { "call": "codes", list: string, } | { "call": "overview", village: string, since: string, } | { "call": "export_bundle" } | { "call": "conflicts", village: string, } | { "call": "settle", document: string, key: string, change: string, reason: string, } | { "call": "reveal", document: string, key: string, } | { "call": "status" } | { "call": "refused" } | { "call": "devices" } | { "call": "sync" };
