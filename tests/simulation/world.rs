//! One world: weeks in a village, from the enrolment to the last quiet sync.

use std::rc::Rc;

use ruhu_client_core::{CheckState, Error, SyncReport};
use ruhu_server::store::LedgerStore as _;
use ruhu_survey::change::DocumentId;
use ruhu_survey::household::{NewHousehold, NewMember};
use ruhu_survey::role::Role;

use crate::answers::{name, text};
use crate::audit::audit;
use crate::book::{Book, Expected};
use crate::breakage::{Breakage, Meddler};
use crate::clock::Time;
use crate::dice::Dice;
use crate::disk::End;
use crate::event::Trouble;
use crate::host::{Host, VILLAGE};
use crate::link::Net;
use crate::node::{Node, Synced};
use crate::tally::{DOCUMENTS_MIN, EDITS_MIN, Tally};
use crate::turn::{Running, Turns};
use crate::weather::Weather;
use crate::work::{Hands, Task, week};

/// How large a world is, and what is broken in it on purpose.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Devices that enrol.
    pub devices: usize,
    /// Weeks that are lived through.
    pub weeks: usize,
    /// Households at the beginning.
    pub households: usize,
    /// A guarantee broken on purpose.
    pub breakage: Option<Breakage>,
    /// Whether every event is kept as a line.
    pub tells: bool,
    /// Whether the server's disk may be lost, and an old backup of it comes back.
    pub loses_server: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { devices: 6, weeks: 8, households: 5, breakage: None, tells: false, loses_server: false }
    }
}

/// What became of a world.
#[derive(Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// What happened in it.
    pub tally: Tally,
    /// What did not hold.
    pub violations: Vec<String>,
}

/// Operations of a disk within which a doomed program dies, if it does as many.
const OPERATIONS: usize = 150;
const WEEK_MS: i64 = 7 * 24 * 3_600_000;
/// Rounds of quiet syncs after which all must be at rest.
const ROUNDS_MAX: usize = 9;
/// Who works in the village, in the order of enrolment.
const ROLES: [Role; 6] = [
    Role::FirstSecretary,
    Role::WorkTeam,
    Role::WorkTeam,
    Role::VillageOfficer,
    Role::WorkTeam,
    Role::Township,
];

/// Something under way.
pub(crate) enum Job {
    /// A device's sync.
    Sync(usize, Running<Synced>),
    /// A request that its device gave up.
    Late(Running<()>),
}

/// A world that is being lived through.
pub(crate) struct World<'a> {
    pub(crate) plan: Plan,
    pub(crate) turns: &'a Turns,
    pub(crate) time: Time,
    pub(crate) net: Rc<Net>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) book: Book,
    pub(crate) dice: Dice,
    pub(crate) jobs: Vec<Job>,
    pub(crate) trouble: Trouble,
    queues: Vec<Vec<Task>>,
}

/// Lives through one world and says what did not hold.
#[must_use]
pub fn live(turns: &Turns, seed: u64, plan: Plan) -> Outcome {
    let mut world = World::begin(turns, seed, plan);
    for number in 1..=plan.weeks {
        world.week(number);
    }
    world.come_to_rest();
    let World { net, book, mut nodes, .. } = world;
    let violations = audit(&net, &book, &mut nodes);
    let mut tally = net.tally.borrow().clone();
    for node in &mut nodes {
        let digest = node.replica().digest();
        tally.note(&format!("{} {digest:02x?}", node.index));
    }
    Outcome { seed, tally, violations }
}

impl<'a> World<'a> {
    fn begin(turns: &'a Turns, seed: u64, plan: Plan) -> Self {
        let time = Time::begin();
        let host = Host::begin(&time, Dice::new(seed, 2));
        let tally = if plan.tells { Tally::telling() } else { Tally::default() };
        let net = Net::new(host, turns.turn(), Dice::new(seed, 1), tally, Meddler::new(plan.breakage));
        let mut dice = Dice::new(seed, 0);
        let trouble = Trouble::draw(&mut dice, &plan);
        let mut world = Self {
            plan,
            turns,
            time,
            net: Rc::new(net),
            nodes: Vec::new(),
            book: Book::default(),
            dice,
            jobs: Vec::new(),
            trouble,
            queues: Vec::new(),
        };
        world.enrol(seed);
        world.found();
        let weather = Weather::draw(&mut world.dice);
        world.net.weather.replace(weather);
        world
    }

    fn enrol(&mut self, seed: u64) {
        for index in 0..self.plan.devices {
            let role = ROLES[index % ROLES.len()];
            let user = self.net.host.add_person(&format!("person {index}"), role);
            let dice = Dice::new(seed, 10 + index as u64);
            let around = (&self.net, self.turns, &self.time);
            self.nodes.push(Node::enrolled((index, dice), (user, role), around));
        }
    }

    /// The first device founds the households, and all devices learn of them.
    fn found(&mut self) {
        for _ in 0..self.plan.households {
            let household = NewHousehold { group_name: text(&mut self.dice), address: None, phone: None };
            let member = NewMember { full_name: name(&mut self.dice), ..NewMember::default() };
            let node = &mut self.nodes[0];
            node.client_mut().new_household(VILLAGE, &household, &[member]).unwrap();
            node.enter(&mut self.book, Vec::new());
        }
        for index in 0..self.nodes.len() {
            self.quiet_sync(index);
        }
    }

    fn week(&mut self, number: usize) {
        let partitioned = self.trouble.partitioned_per_mille;
        self.queues.clear();
        for index in 0..self.nodes.len() {
            self.nodes[index].week = crate::node::Week::default();
            let alone = self.dice.per_mille(partitioned);
            if alone {
                self.net.tally.borrow_mut().fault("weeks of a device without a network");
            }
            self.queues.push(week(&mut self.dice, !alone));
        }
        self.plan_troubles();
        while self.step() {}
        let ends_ms = crate::clock::MORNING_MS + WEEK_MS * i64::try_from(number).unwrap_or(0);
        self.time.reach(ends_ms);
        self.count_weeks();
    }

    fn count_weeks(&mut self) {
        let mut tally = self.net.tally.borrow_mut();
        for node in &self.nodes {
            let week = &node.week;
            let full = week.edits >= EDITS_MIN && week.documents.len() >= DOCUMENTS_MIN;
            if full && week.synced {
                tally.device_weeks += 1;
            } else {
                tally.event(if full { "weeks without an answered sync" } else { "weeks with fewer edits" });
            }
        }
    }

    /// One thing happens: a device's next task, the next turn of something under way, or a trouble.
    fn step(&mut self) -> bool {
        self.trouble_strikes();
        self.person_comes();
        self.send_late();
        let ready = |(index, queue): (usize, &Vec<Task>)| {
            (!queue.is_empty() && self.nodes[index].is_idle()).then_some(index)
        };
        let ready: Vec<usize> = self.queues.iter().enumerate().filter_map(ready).collect();
        let choices = ready.len() + self.jobs.len();
        if choices == 0 {
            return false;
        }
        let choice = self.dice.below(choices);
        match ready.get(choice) {
            Some(index) => {
                self.time.pass(self.dice.between(1_000, 1_200_000));
                self.task(*index);
            }
            None => {
                self.time.pass(self.dice.between(10, 20_000));
                self.turn(choice - ready.len());
            }
        }
        true
    }

    fn send_late(&mut self) {
        let due = self.dice.per_mille(150);
        let mut late = self.net.late.borrow_mut();
        if due && !late.is_empty() {
            let place = self.dice.below(late.len());
            let request = late.swap_remove(place);
            let net = self.net.clone();
            self.jobs.push(Job::Late(Box::pin(async move {
                net.deliver(&request, request.body.len(), 2).await;
            })));
        }
    }

    fn task(&mut self, index: usize) {
        let Some(task) = self.queues[index].pop() else { return };
        match task {
            Task::Sync => {
                let sync = self.nodes[index].begin_sync(&self.net);
                self.jobs.push(Job::Sync(index, sync));
            }
            Task::Restart => {
                self.net.tally.borrow_mut().fault("device: killed and started again");
                self.restart(index);
            }
            _ => self.act(index, task),
        }
    }

    /// A person does one thing; the program may die at any operation of its disk on the way.
    fn act(&mut self, index: usize, task: Task) {
        let before = self.nodes[index].open.clone();
        self.may_die(index);
        let died = {
            let mut tally = self.net.tally.borrow_mut();
            let (node, book, dice) = (&mut self.nodes[index], &mut self.book, &mut self.dice);
            Hands { node, book, tally: &mut tally, dice, died: false }.act(task)
        };
        if died {
            self.net.tally.borrow_mut().fault("device: dies at an operation of its disk");
            self.nodes[index].open = before;
            self.restart(index);
        }
    }

    /// One thing under way goes on; the device or the server may die at any operation of its disk.
    pub(crate) fn turn(&mut self, place: usize) {
        let index = match &self.jobs[place] {
            Job::Sync(index, _) => Some(*index),
            Job::Late(_) => None,
        };
        self.doom(index);
        let done = match &mut self.jobs[place] {
            Job::Late(running) => self.turns.step(running).map(|()| None),
            Job::Sync(_, running) => self.turns.step(running).map(Some),
        };
        let died = index.filter(|index| self.nodes[*index].spare());
        let server_died = self.net.host.spare();
        if done.is_some() || died.is_some() {
            match self.jobs.swap_remove(place) {
                Job::Late(running) => self.turns.cut(running),
                Job::Sync(_, running) => self.turns.cut(running),
            }
        }
        match (died, index, done.flatten()) {
            (Some(index), ..) => {
                self.net.tally.borrow_mut().fault("device: dies in a sync at an operation of its disk");
                self.restart(index);
            }
            (None, Some(index), Some(synced)) => self.synced(index, synced),
            _ => {}
        }
        if server_died {
            self.net.tally.borrow_mut().fault("server: dies at an operation of its disk");
            self.end_server();
        }
    }

    /// Makes room for the tasks of a device that came during the week.
    pub(crate) fn add_queue(&mut self) {
        let tasks = week(&mut self.dice, true);
        self.queues.push(tasks);
    }

    /// Lets a device's program die at one of the next operations of its disk, now and then.
    pub(crate) fn may_die(&mut self, index: usize) {
        if self.dice.per_mille(self.trouble.device_dies_per_mille) {
            self.nodes[index].doom(self.dice.below(OPERATIONS));
        }
    }

    fn doom(&mut self, index: Option<usize>) {
        if let Some(index) = index {
            self.may_die(index);
        }
        if self.dice.per_mille(self.trouble.server_dies_per_mille) {
            self.net.host.doom(self.dice.below(OPERATIONS));
        }
    }

    pub(crate) fn restart(&mut self, index: usize) {
        let end = self.end();
        let node = &mut self.nodes[index];
        node.restart(end, &self.time);
        // What was under way is there or not; a submission that is there took the draft with it.
        node.enter(&mut self.book, Vec::new());
        let submitted = |open: &crate::node::OpenCheck| {
            let line = node.client().check_line(open.id);
            line.is_ok_and(|line| line.state != CheckState::Draft)
        };
        if node.open.as_ref().is_some_and(submitted) {
            node.open = None;
        }
        self.drafts_survived(index);
    }

    /// How a program ends: with its machine, or alone.
    pub(crate) fn end(&mut self) -> End {
        let end = if self.dice.per_mille(500) { End::PowerCut } else { End::Killed };
        let kind = if end == End::PowerCut { "ends by a power cut" } else { "ends by a kill" };
        self.net.tally.borrow_mut().event(kind);
        end
    }

    /// Every answer given before a kill is there after it.
    fn drafts_survived(&mut self, index: usize) {
        let node = &self.nodes[index];
        let Some(open) = &node.open else { return };
        let Ok(draft) = node.client().draft(open.id) else {
            self.book.violations.push(format!("node {index}: a draft is gone"));
            return;
        };
        for (key, value) in &open.answers {
            let held =
                draft.answers.iter().any(|held| held.key == *key && Some(&held.value) == value.as_ref());
            if !held {
                self.book.violations.push(format!("node {index}: the answer of {key} is gone"));
            }
        }
    }

    fn synced(&mut self, index: usize, (client, ended): Synced) {
        self.nodes[index].end_sync(client, &mut self.book);
        let node = &mut self.nodes[index];
        let line = match &ended {
            Ok(report) => {
                node.week.synced |= report.got_bytes > 0;
                told(report)
            }
            Err(error) => error.to_string(),
        };
        let mut tally = self.net.tally.borrow_mut();
        tally.note(&format!("{index} synced: {line}"));
        tally.event(if ended.is_ok() { "syncs" } else { "syncs refused" });
        if let Err(error) = ended {
            // Old answers bring old nonces and old refusals; a dying server says so, and whoever is barred is told.
            let excused = match &error {
                Error::Refused { code, status, .. } => {
                    let told = node.barred || node.was_barred;
                    if told {
                        node.told.insert(code.clone());
                    }
                    code == "nonce_unknown" || *status >= 500 || node.told.contains(code)
                }
                _ => false,
            };
            if !excused {
                self.book.violations.push(format!("node {index}: a sync failed: {error:?}"));
            }
        }
    }

    /// A sync in calm weather, to its end.
    fn quiet_sync(&mut self, index: usize) -> Option<SyncReport> {
        let sync = self.nodes[index].begin_sync(&self.net);
        let synced = self.turns.finish(sync);
        let report = synced.1.as_ref().ok().cloned();
        self.synced(index, synced);
        report
    }

    /// The weather clears up, and every device syncs until nothing moves any more.
    fn come_to_rest(&mut self) {
        self.end_troubles();
        if self.net.host.router().is_none() {
            self.start_server();
        }
        self.net.weather.replace(Weather::calm());
        self.net.late.borrow_mut().clear();
        self.queues.clear();
        (self.trouble.device_dies_per_mille, self.trouble.server_dies_per_mille) = (0, 0);
        while self.step() {}
        // What the last to sync announces in one quiet round is told to the others in the next.
        let mut quiet_before = false;
        for _ in 0..ROUNDS_MAX {
            let mut moved = false;
            for index in 0..self.nodes.len() {
                let report = self.quiet_sync(index);
                let moves =
                    report.is_some_and(|report| report.progress.relayed + report.progress.receipts > 0);
                moved |= moves;
            }
            moved |= self.everybody_comes();
            if !moved && quiet_before {
                return;
            }
            quiet_before = !moved;
        }
        self.book.violations.push("the devices never come to rest".to_owned());
    }

    /// From now on, what these devices write may be kept apart; and so may what they have not sent yet.
    pub(crate) fn may_be_kept_apart(&mut self, of: impl Fn(&Node) -> bool, rules: &[&'static str]) {
        for node in self.nodes.iter_mut().filter(|node| of(node)) {
            let mut all = match &node.expected {
                Expected::AcceptedOrKeptApart(before) => before.clone(),
                _ => vec!["depends_on_quarantined"],
            };
            all.extend(rules);
            node.expected = Expected::AcceptedOrKeptApart(all);
            for line in self.book.lines.values_mut() {
                if line.node == node.index && !line.received && line.expected != Expected::Lost {
                    line.expected = node.expected.clone();
                }
            }
        }
    }

    /// A household of which the server has accepted something.
    pub(crate) fn household(&mut self) -> Option<DocumentId> {
        let known: Vec<DocumentId> = self
            .book
            .lines
            .iter()
            .filter(|(_, line)| line.received)
            .map(|((document, _), _)| *document)
            .filter(|document| document.kind == ruhu_survey::change::DocumentKind::Household)
            .collect();
        let picked = (!known.is_empty()).then(|| *self.dice.pick(&known))?;
        let register = self.net.host.store().register(VILLAGE, picked).unwrap();
        (!register.is_empty()).then_some(picked)
    }
}

fn told(report: &SyncReport) -> String {
    let SyncReport { outcome, progress, requests, sent_bytes, got_bytes, .. } = report;
    format!("{outcome:?} {requests} {sent_bytes} {got_bytes} {} {}", progress.receipts, progress.relayed)
}
