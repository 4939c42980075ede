//! What a person does with a device in one step: an answer, a submission, an edit, a settlement, an issue.

use ruhu_client_core::{CheckState, Client, Edit, Error, IssueEntry, ListedCheck, Query, SendState};
use ruhu_survey::change::{DocumentKind, Value};
use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};
use ruhu_survey::id::HouseholdId;

use crate::answers::{answers, name, register_values, text};
use crate::book::{Asked, Book, Expected};
use crate::dice::Dice;
use crate::host::VILLAGE;
use crate::node::{Node, OpenCheck};
use crate::tally::Tally;

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Begin a check.
    StartCheck,
    /// Answer a question of the check, or write a field of the register into it.
    Answer,
    /// Submit the check.
    Submit,
    /// Correct a check that was submitted.
    Correct,
    /// Write fields of a household.
    EditHousehold,
    /// Add a member.
    AddMember,
    /// Settle a conflict.
    Settle,
    /// Open an issue.
    OpenIssue,
    /// Found a household.
    NewHousehold,
    /// Sync.
    Sync,
    /// Kill the program and start it again.
    Restart,
}

/// What a person wants to get done in a week: at least 20 edits in three documents.
pub fn week(dice: &mut Dice, syncs: bool) -> Vec<Task> {
    let mut tasks = vec![Task::EditHousehold; 2];
    tasks.extend(dice.per_mille(300).then_some(Task::AddMember));
    tasks.extend(dice.per_mille(300).then_some(Task::OpenIssue));
    tasks.extend(dice.per_mille(700).then_some(Task::Settle));
    tasks.extend(dice.per_mille(200).then_some(Task::Correct));
    tasks.extend(dice.per_mille(40).then_some(Task::NewHousehold));
    tasks.extend(dice.per_mille(100).then_some(Task::Restart));
    if syncs {
        tasks.push(Task::Sync);
        tasks.extend(dice.per_mille(300).then_some(Task::Sync));
    }
    dice.shuffle(&mut tasks);
    // The check is one thread through the week, in its order.
    let check = [&[Task::StartCheck][..], &[Task::Answer; 10], &[Task::Submit]].concat();
    let mut places: Vec<usize> = (0..check.len()).map(|_| dice.below(tasks.len() + 1)).collect();
    places.sort_unstable();
    for (task, place) in check.into_iter().zip(places).rev() {
        tasks.insert(place, task);
    }
    tasks.reverse();
    tasks
}

/// A person at a device.
#[derive(Debug)]
pub struct Hands<'a> {
    /// The device.
    pub node: &'a mut Node,
    /// Where it is written down.
    pub book: &'a mut Book,
    /// What is counted.
    pub tally: &'a mut Tally,
    /// What is drawn.
    pub dice: &'a mut Dice,
    /// Whether the program died on the way.
    pub died: bool,
}

impl Hands<'_> {
    /// Does one thing with the program; whether it died on the way.
    pub fn act(mut self, task: Task) -> bool {
        let done = match task {
            Task::StartCheck => self.start_check(),
            Task::Answer => self.answer(),
            Task::Submit => self.submit(),
            Task::Correct => self.correct(),
            Task::EditHousehold => self.edit_household(),
            Task::AddMember => self.add_member(),
            Task::Settle => self.settle(),
            Task::OpenIssue => self.open_issue(),
            Task::NewHousehold => self.new_household(),
            Task::Sync | Task::Restart => Ok(()),
        };
        self.died |= self.node.spare();
        let copied = matches!(self.node.expected, Expected::AcceptedOrKeptApart(_));
        if let (Err(Error::NotADraft(_)), true) = (&done, copied) {
            // The device's other copy submitted the check. What was answered here stays here.
            self.node.open = None;
            self.tally.event("drafts that a copy submitted");
        } else if let (Err(Error::NotAccepted(_)), Task::Submit) = (&done, task) {
            // Somebody handed the household on, and the server accepted nothing of it. The draft stays.
            self.tally.event("drafts about households that were not accepted");
        } else if let (Err(error), false) = (done, self.died) {
            let node = self.node.index;
            self.book.violations.push(format!("node {node}: {task:?} failed: {error:?}"));
        }
        self.died
    }

    fn household(&mut self) -> Result<Option<HouseholdId>, Error> {
        let listed = self.node.client().households(VILLAGE, &Query::default())?;
        Ok((!listed.is_empty()).then(|| self.dice.pick(&listed).id))
    }

    /// Writes down what a call wrote.
    fn wrote(&mut self, kind: &'static str, asked: Vec<Asked>) {
        self.died |= self.node.spare();
        let count = asked.len() as u64;
        self.node.week.edits += count;
        self.tally.edit(kind, count);
        let changes = self.node.enter(self.book, asked);
        self.tally.note(&format!("{} {kind} {count} {changes}", self.node.index));
    }

    fn start_check(&mut self) -> Result<(), Error> {
        let Some(household) = self.household()? else { return Ok(()) };
        let id = self.node.client_mut().start_check(household, "routine")?;
        self.node.open = Some(OpenCheck { id, answers: Vec::new() });
        Ok(())
    }

    fn answer(&mut self) -> Result<(), Error> {
        let Some(mut open) = self.node.open.take() else { return Ok(()) };
        let of_register = self.dice.per_mille(250);
        let drawn = if of_register { register_values(self.dice, 99) } else { answers(self.dice, 99) };
        let new = |(key, _): &(&str, Value)| open.answers.iter().all(|(answered, _)| answered != key);
        let Some((key, value)) = drawn.into_iter().find(new) else { return Ok(()) };
        let input = Input::Stored(value.clone());
        self.node.client_mut().set_answer(open.id, key, &input, &Because::default())?;
        open.answers.push((key.to_owned(), Some(value)));
        self.node.open = Some(open);
        Ok(())
    }

    fn submit(&mut self) -> Result<(), Error> {
        let Some(open) = self.node.open.take() else { return Ok(()) };
        if open.answers.is_empty() {
            return self.node.client_mut().withdraw_check(open.id, "nothing was asked");
        }
        // What was answered and no longer applies, as when a member of that age left, is submitted as such.
        let gone = self.node.client().not_applicable(open.id, "completed")?;
        self.node.client_mut().submit(open.id, "completed", &[])?;
        let asked = |(key, value): Asked| {
            let stays = !gone.contains(&key);
            (key, value.filter(|_| stays))
        };
        self.wrote("answers of submitted checks", open.answers.into_iter().map(asked).collect());
        // The entry of the submission and that of the visit.
        self.node.week.edits += 2;
        self.tally.edit("submissions and visits", 2);
        Ok(())
    }

    fn correct(&mut self) -> Result<(), Error> {
        let Some(household) = self.household()? else { return Ok(()) };
        let checks = self.node.client().checks(household)?;
        // One that the server keeps apart has no document to correct.
        let stands = |check: &&ListedCheck| {
            let live = [SendState::Queued, SendState::Sent, SendState::Held, SendState::Received];
            check.own
                && check.state == CheckState::Submitted
                && check.send_state.as_ref().is_some_and(|state| live.contains(state))
        };
        let Some(check) = checks.iter().find(stands) else { return Ok(()) };
        let id = check.id;
        let input = Input::Stored(Value::Int(self.dice.between(0, 9_000_000)));
        self.node.client_mut().correct(id, "answer/income/wage_income", &input, "asked again")?;
        self.wrote("corrections", Vec::new());
        self.node.week.edits += 1;
        self.tally.edit("corrections", 1);
        Ok(())
    }

    fn edit_household(&mut self) -> Result<(), Error> {
        let Some(household) = self.household()? else { return Ok(()) };
        let values = register_values(self.dice, 5);
        let edit = |(key, value): &(&str, Value)| Edit {
            key: (*key).to_owned(),
            input: Input::Stored(value.clone()),
            because: Because::default(),
        };
        let edits: Vec<Edit> = values.iter().map(edit).collect();
        self.node.client_mut().edit_household(household, &edits)?;
        let asked = values.into_iter().map(|(key, value)| (key.to_owned(), Some(value)));
        self.wrote("register fields", asked.collect());
        Ok(())
    }

    fn add_member(&mut self) -> Result<(), Error> {
        let Some(household) = self.household()? else { return Ok(()) };
        let member = NewMember { full_name: name(self.dice), ..NewMember::default() };
        let id = self.node.client_mut().add_member(household, &member)?;
        let full_name = (format!("member/{id}/full_name"), Some(Value::Text(member.full_name)));
        self.wrote("members", vec![full_name]);
        let note = format!("member/{id}/disease_note");
        let edits = [Edit::text(note.clone(), text(self.dice))];
        match self.node.client_mut().edit_household(household, &edits) {
            // The key of a household that somebody else founded may still be on its way.
            Err(Error::Input(ruhu_survey::field_table::InputError::NoKey(_))) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                self.wrote("sealed values", vec![(note, None)]);
                Ok(())
            }
        }
    }

    fn settle(&mut self) -> Result<(), Error> {
        let open = self.node.client().conflicts(VILLAGE)?;
        let open: Vec<_> =
            open.into_iter().filter(|conflict| conflict.document.kind != DocumentKind::Check).collect();
        if open.is_empty() {
            return Ok(());
        }
        let conflict = self.dice.pick(&open).clone();
        let values: Vec<_> = std::iter::once(&conflict.shown).chain(&conflict.others).collect();
        let chosen = *self.dice.pick(&values);
        let client: &mut Client = self.node.client_mut();
        client.settle(conflict.document, &conflict.key, chosen.change, "asked at the door")?;
        self.wrote("settlements", vec![(conflict.key, Some(chosen.value.clone()))]);
        Ok(())
    }

    fn open_issue(&mut self) -> Result<(), Error> {
        let Some(household) = self.household()? else { return Ok(()) };
        let entry = IssueEntry {
            household,
            category: "housing".to_owned(),
            origin: "self_check".to_owned(),
            description: text(self.dice),
            required_result: Some(text(self.dice)),
            severity: Some(self.dice.between(1, 3)),
            found_by: None,
        };
        self.node.client_mut().open_issue(&entry)?;
        let said = |key: &str, text: &str| (key.to_owned(), Some(Value::Text(text.to_owned())));
        let mut asked = vec![said("category", "housing"), said("description", &entry.description)];
        asked.extend(entry.required_result.as_deref().map(|text| said("required_result", text)));
        asked.push(("severity".to_owned(), entry.severity.map(Value::Int)));
        self.wrote("issues", asked);
        Ok(())
    }

    fn new_household(&mut self) -> Result<(), Error> {
        let household = NewHousehold { group_name: text(self.dice), address: None, phone: None };
        let member = NewMember { full_name: name(self.dice), ..NewMember::default() };
        self.node.client_mut().new_household(VILLAGE, &household, &[member])?;
        self.wrote(
            "households founded",
            vec![("group_name".to_owned(), Some(Value::Text(household.group_name)))],
        );
        Ok(())
    }
}
