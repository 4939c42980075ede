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
export type PhoneLock = { 
/**
 * The id of the credential that the phone made.
 */
credential: string, 
/**
 * The input of its function.
 */
input: string, };
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
 * What the phone's own lock is to be asked with, where it opens the store.
 */
phone_lock: PhoneLock | null, 
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
export type DeploymentId = string;
export type DeviceId = string;
export type HouseholdId = string;
export type UserId = string;
export type VillageId = string;
export type Role = "work_team" | "first_secretary" | "village_officer" | "township" | "county" | "department" | "supervisor" | "third_party" | "administrator" | "server";
export type Village = { 
/**
 * Its id.
 */
id: VillageId, 
/**
 * Its official 12-digit code today; empty when it is not known yet.
 */
code: string, 
/**
 * Its name; empty when it is not known yet.
 */
name: string, 
/**
 * Whether the present certificate names it.
 */
granted: boolean, 
/**
 * Households on this device.
 */
households: number, 
/**
 * When it was last synced to the end, milliseconds since 1970 by the device's clock.
 */
synced_ms: number | null, 
/**
 * When its changes were last found to differ from the server's; `None` when they agree.
 */
mismatch_ms: number | null, };
export type DeviceStatus = { 
/**
 * The installation.
 */
deployment: DeploymentId, 
/**
 * Its id.
 */
device: DeviceId, 
/**
 * Its label.
 */
name: string, 
/**
 * Whose it is.
 */
user: UserId, 
/**
 * Their name, as the server gave it.
 */
user_name: string, 
/**
 * What they are.
 */
role: Role, 
/**
 * Until when the certificate holds, milliseconds since 1970.
 */
until_ms: number, 
/**
 * When the key was revoked, if it was.
 */
revoked_ms: number | null, 
/**
 * Whether a person has to enrol it again: until then the server keeps apart what it sends.
 */
provisional: boolean, 
/**
 * The server's address.
 */
server: string, 
/**
 * The server's key in six words.
 */
server_words: [string, string, string, string, string, string], };
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
turned_away: number, 
/**
 * Keys of new households that the server has not confirmed.
 */
keys: number, 
/**
 * Batches of others that this device carries and that the server has not receipted.
 */
carried: number, 
/**
 * Batches of others that wait here for one before them; they are not applied.
 */
staged: number, 
/**
 * Photos of submitted checks that the server is not known to have: see [`Client::send_photos`].
 */
photos: number, };
export type LastSync = { 
/**
 * When it began, by the device's clock.
 */
started_ms: number, 
/**
 * When it ended; `None` when it was cut off by a kill.
 */
ended_ms: number | null, 
/**
 * `complete`, `paused`, or what stopped it.
 */
outcome: string, 
/**
 * Requests made.
 */
requests: number, 
/**
 * Bytes of request bodies.
 */
sent_bytes: number, 
/**
 * Bytes of response bodies.
 */
got_bytes: number, 
/**
 * Own batches received.
 */
receipts: number, 
/**
 * Batches relayed.
 */
batches: number, };
export type ReceiptLine = { 
/**
 * The village.
 */
village: VillageId, 
/**
 * The number of the batch in this device's chain.
 */
number: number, 
/**
 * How many changes it brought.
 */
changes: number, 
/**
 * When the server had it, by the server's clock.
 */
received_ms: number, };
export type Fork = { 
/**
 * The village.
 */
village: VillageId, 
/**
 * Whose chain.
 */
device: DeviceId, 
/**
 * The first number that two batches have.
 */
number: number, };
export type Repair = { 
/**
 * The village.
 */
village: VillageId, 
/**
 * When, milliseconds since 1970 by the device's clock.
 */
at_ms: number, 
/**
 * Documents of which the server had more, or other, than was here.
 */
fetched: number, 
/**
 * Batches that were queued again because the server lacks them.
 */
returned: number, 
/**
 * Documents that the server named and did not prove.
 */
unproved: number, 
/**
 * `mended`, or a stable code of why not.
 */
outcome: string, };
export type Status = { 
/**
 * Who it is; `None` before enrolment.
 */
device: DeviceStatus | null, 
/**
 * Its villages, with when each was last synced and whether the fingerprints agree.
 */
villages: Array<Village>, 
/**
 * What the server has not receipted.
 */
unsent: Unsent, 
/**
 * Own changes that the server did not accept: see [`Client::refused`].
 */
not_accepted: number, 
/**
 * Things that came and were set aside: see [`Client::set_aside`].
 */
set_aside: number, 
/**
 * The last sync, ended or not.
 */
last_sync: LastSync | null, 
/**
 * The newest receipts, the newest first, ten at most.
 */
last_receipts: Array<ReceiptLine>, 
/**
 * Chains that have forked: somebody copied a device, or restored it.
 */
forks: Array<Fork>, 
/**
 * The last repair of each village, the newest first.
 */
repairs: Array<Repair>, 
/**
 * When the log was found inconsistent, by the device's clock; nothing is accepted since.
 */
log_inconsistent_ms: number | null, 
/**
 * Own batches received that no verified backup of the server is known to hold.
 */
beyond_backup: number, 
/**
 * When the newest backup known had been read back, by the server's clock.
 */
backup_ms: number | null, 
/**
 * How far this device's clock was ahead of the server's at the last sync, milliseconds.
 */
clock_ahead_ms: number | null, };
export type Progress = { 
/**
 * Own batches that the server has durably, in this sync.
 */
receipts: number, 
/**
 * Own batches that this sync set out to send.
 */
to_send: number, 
/**
 * Batches of others that were stored.
 */
relayed: number, 
/**
 * Batches carried for others that the server has durably, in this sync.
 */
carried: number, 
/**
 * Villages that are caught up.
 */
villages_done: number, 
/**
 * Villages that this sync set out to catch up.
 */
villages: number, };
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
export type KnownDevice = { 
/**
 * Its id.
 */
device: DeviceId, 
/**
 * Its label.
 */
name: string, 
/**
 * Whose it is.
 */
user: UserId, 
/**
 * What they are.
 */
role: Role, 
/**
 * From when the certificate holds, milliseconds since 1970.
 */
from_ms: number, 
/**
 * Until when.
 */
until_ms: number, 
/**
 * When the key was revoked, if it was.
 */
revoked_ms: number | null, };
export type AnnouncedUnsent = { 
/**
 * When it said so, by the server's clock.
 */
at_ms: number, 
/**
 * Of the batches that it had written by then, those that the server is not known here to have received.
 */
missing: number, 
/**
 * Checks that it had closed and not delivered by then; 0 once none of those batches is missing.
 */
checks: number, 
/**
 * Checks that it had begun and not closed by then. They stay on the device.
 */
drafts: number, };
export type DeviceSeen = { 
/**
 * The device.
 */
device: DeviceId, 
/**
 * Its label.
 */
name: string, 
/**
 * What its person is.
 */
role: Role, 
/**
 * Whether its key was revoked.
 */
revoked: boolean, 
/**
 * Whether it is this device.
 */
own: boolean, 
/**
 * When the server received its newest batch, by the server's clock; `None` when nothing is known here.
 */
received_ms: number | null, 
/**
 * Batches of it that the server has received, as far as this device knows.
 */
received: number, 
/**
 * Batches of it that are here and that the server is not known to have.
 */
waiting: number, 
/**
 * Batches that lack in its chain below the newest one known here.
 */
lacking: number, 
/**
 * What it last announced as unsent; `None` when nothing was told of it, and for this device.
 */
announced: AnnouncedUnsent | null, };
export type Overview = { 
/**
 * When a sync of the village last ended whole, by this device's clock; `None`: never.
 */
as_of_ms: number | null, 
/**
 * Households whose file is open.
 */
households: number, 
/**
 * Of these, visited on the asked day or later.
 */
done: number, 
/**
 * Of these, never visited.
 */
never: number, 
/**
 * Fields that wait for a named person to decide.
 */
conflicts: number, 
/**
 * The devices that may write here or have written, the one that was heard of longest ago first.
 */
devices: Array<DeviceSeen>, };
export type SendState = { state: string; rule: string | null };
export type ListedHousehold = { 
/**
 * Its id.
 */
id: HouseholdId, 
/**
 * The head's name (户主); empty when none is known.
 */
head_name: string, 
/**
 * The group (村民小组).
 */
group: string, 
/**
 * The address.
 */
address: string, 
/**
 * The official number (户编号).
 */
number: string, 
/**
 * Members who have not left.
 */
members: number, 
/**
 * Open conflicts.
 */
conflicts: number, 
/**
 * Whether the file is not closed.
 */
active: boolean, 
/**
 * The date of the last check, `YYYY-MM-DD`; `None` when never.
 */
last_checked: string | null, 
/**
 * The code of its result.
 */
last_result: string | null, 
/**
 * Where this device's own edits of it stand; `None` when it has none, or all are received.
 */
send_state: SendState | null, };
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
send: SendState | null, };
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
send: SendState | null, };
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
export type QuestionText = { 
/**
 * Its number on paper.
 */
no: string | null, 
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
 * Its choices. Of [`QuestionType::Many`] each is a key of its own, `<key>/<code>`.
 */
choices: Array<Offered>, 
/**
 * Whether none of the choices is an answer.
 */
none_of_these: boolean, 
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
 * Where the answer comes from unless the surveyor says otherwise.
 */
source: Source, };
export type Item = { 
/**
 * Its name in the form.
 */
question: string, 
/**
 * The key that its answer is kept under; of several, the one they begin with. `None` where no field
 * takes it.
 */
key: string | null, 
/**
 * The codes of the choices offered now; `None` for all that it has.
 */
offered?: Array<string>, 
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
state?: string, 
/**
 * The reason that was given.
 */
reason?: string, 
/**
 * The last answer, to be offered.
 */
last?: Last, };
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
export type What = { "typed": string } | { "stored": Scalar } | { "state": string } | "none_of_these";
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
export type Call = { "call": "standing" } | { "call": "create", passphrase: string, } | { "call": "unlock", passphrase: string, } | { "call": "lock" } | { "call": "pause" } | { "call": "resume", pin: string, } | { "call": "set_pin", pin: string, } | { "call": "set_phone_lock", passphrase: string, credential: string, input: string, secret: string, } | { "call": "remove_phone_lock" } | { "call": "unlock_by_phone", secret: string, } | { "call": "remember", place: string, } | { "call": "change_passphrase", old: string, new: string, } | { "call": "enrol_by_link", link: string, device_name: string, } | { "call": "enrol_by_code", server: string, code: string, device_name: string, words: string | null, } | { "call": "villages" } | { "call": "groups", village: string, } | { "call": "households", village: string, query: HouseholdQuery, } | { "call": "household", household: string, } | { "call": "history", document: string, } | { "call": "check", check: string, } | { "call": "check_form", check: string, short: boolean, } | { "call": "question_texts", form: string, } | { "call": "answer_question", check: string, question: string, member: string | null, element: string | null, said: Said | null, } | { "call": "accept_last", check: string, question: string, member: string | null, } | { "call": "confirm_finding", check: string, key: string, reason: string, } | { "call": "zero_rest", check: string, page: string, short: boolean, } | { "call": "findings", check: string, } | { "call": "not_applicable", check: string, result: string, } | { "call": "drafts" } | { "call": "start_check", household: string, check_type: string, } | { "call": "replace_check", check: string, } | { "call": "withdraw_check", check: string, reason: string, } | { "call": "submit", check: string, result: string, } | { "call": "edit_household", household: string, key: string, said: Said, } | { "call": "new_household", village: string, group: string, address: string | null, phone: string | null, head: MemberSaid, } | { "call": "add_member", household: string, member: MemberSaid, } | { "call": "end_member", household: string, member: string, left_on: string, why: string, reason: string | null, } | { "call": "codes", list: string, } | { "call": "overview", village: string, since: string, } | { "call": "export_bundle" } | { "call": "conflicts", village: string, } | { "call": "settle", document: string, key: string, change: string, reason: string, } | { "call": "reveal", document: string, key: string, } | { "call": "status" } | { "call": "refused" } | { "call": "devices" } | { "call": "sync" };
export type PhotoCall = { "call": "add_photo", check: string, question: string, member: string | null, taken_ms: number, } | { "call": "remove_photo", check: string, key: string, } | { "call": "photos", household: string, } | { "call": "check_photos", check: string, };
export type WantedPicture = { 
/**
 * The household whose it is.
 */
household: string, 
/**
 * Its name.
 */
photo: string, 
/**
 * The small one for lists.
 */
thumbnail: boolean, 
/**
 * Whether the server is to be asked for it when it is not here.
 */
fetch: boolean, };
export type PhotoLine = { 
/**
 * Its name: 64 hexadecimal digits.
 */
photo: string, 
/**
 * `check/…` or `household/…`: what names it.
 */
document: string, 
/**
 * The key at which it does.
 */
key: string, 
/**
 * `photo` or `signature`; null while nothing of it is here.
 */
kind: string | null, 
/**
 * When it was taken, by the clock of the device that took it.
 */
taken_ms: number | null, 
/**
 * `draft`, `waiting`, `received`, `here` or `elsewhere`: the last two of photos of other devices.
 */
state: string, 
/**
 * Bytes that the server is known to hold, of one that waits.
 */
sent: number, 
/**
 * Bytes in all, of one that waits.
 */
total: number, };
export type PhotoProgress = { received: number, to_send: number, bytes: number, bytes_to_send: number, };
export type PhotoResult = { 
/**
 * `complete`, `text_first`, `later`, or why the link failed, as of a sync.
 */
outcome: string, 
/**
 * How far it came.
 */
progress: PhotoProgress, 
/**
 * Photos that the server does not take.
 */
refused: number, 
/**
 * Photos that still wait.
 */
waiting: number, };
