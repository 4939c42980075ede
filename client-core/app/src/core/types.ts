// Written from the Rust types of client-core/web; UPDATE_EXPECT=1 writes it anew.

export type Text = { 
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
 * Whether it is open.
 */
open: boolean, 
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
relation: Text | null, 
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
labour: Text | null, };
export type Attribution = { 
/**
 * The change that wrote it.
 */
change: string, 
/**
 * The value as people read it; a private one's mask.
 */
text: Text, 
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
label: Text, 
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
 * The code of its result; empty before it is submitted.
 */
result: string, 
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
label: Text, 
/**
 * The stored value.
 */
value: Scalar, 
/**
 * The value as people read it.
 */
text: Text, 
/**
 * The code of where it comes from, when something was said.
 */
source: string | null, 
/**
 * Why it was written.
 */
reason: string, };
export type DraftPage = { 
/**
 * What lists show of it.
 */
line: CheckLine, 
/**
 * The answers so far.
 */
answers: Array<DraftLine>, };
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
label: Text, 
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
label: Text, 
/**
 * The value as people read it.
 */
new: Text, 
/**
 * The values whose place it took.
 */
old: Array<Text>, 
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
export type Choice = { 
/**
 * The code.
 */
code: string, 
/**
 * Its label.
 */
label: Text, };
export type Kind = { "type": "text", 
/**
 * How many.
 */
max: number, } | { "type": "int", 
/**
 * The least.
 */
min: number, 
/**
 * The greatest.
 */
max: number, } | { "type": "bool" } | { "type": "one", 
/**
 * These.
 */
choices: Array<Choice>, } | { "type": "many", 
/**
 * These.
 */
choices: Array<Choice>, } | { "type": "date" } | { "type": "month" };
export type Question = { 
/**
 * The key without the member's id.
 */
path: string, 
/**
 * What is asked.
 */
label: Text, 
/**
 * What is answered.
 */
kind: Kind, 
/**
 * What its numbers count.
 */
unit: Text | null, 
/**
 * How many decimals people write.
 */
decimals: number, };
export type Section = { 
/**
 * The part of the key after `answer/`.
 */
name: string, 
/**
 * Whether its questions are asked of each member.
 */
per_member: boolean, 
/**
 * Its questions, in the order of the field table.
 */
questions: Array<Question>, };
export type Form = { 
/**
 * The questions, by section.
 */
sections: Array<Section>, 
/**
 * How a visit can end.
 */
results: Array<Choice>, 
/**
 * Why a visit is made.
 */
check_types: Array<Choice>, };
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
export type Call = { "call": "standing" } | { "call": "create", passphrase: string, } | { "call": "unlock", passphrase: string, } | { "call": "lock" } | { "call": "remember", place: string, } | { "call": "change_passphrase", old: string, new: string, } | { "call": "enrol_by_link", link: string, device_name: string, } | { "call": "enrol_by_code", server: string, code: string, device_name: string, words: string | null, } | { "call": "form" } | { "call": "villages" } | { "call": "groups", village: string, } | { "call": "households", village: string, query: HouseholdQuery, } | { "call": "household", household: string, } | { "call": "history", document: string, } | { "call": "check", check: string, } | { "call": "draft", check: string, } | { "call": "drafts" } | { "call": "start_check", household: string, check_type: string, } | { "call": "set_answer", check: string, key: string, said: Said, } | { "call": "clear_answer", check: string, key: string, } | { "call": "withdraw_check", check: string, reason: string, } | { "call": "submit", check: string, result: string, } | { "call": "edit_household", household: string, key: string, said: Said, } | { "call": "conflicts", village: string, } | { "call": "settle", document: string, key: string, change: string, reason: string, } | { "call": "reveal", document: string, key: string, } | { "call": "status" } | { "call": "refused" } | { "call": "devices" } | { "call": "sync" };
