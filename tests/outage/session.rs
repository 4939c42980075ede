//! What happens on one day: a server is set up, a device is made, enrolled, worked with and synced.

use ruhu_client_core::{Client, Edit, Profile};
use ruhu_ledger::receipt::SignedReceipt;
use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};
use ruhu_survey::id::{CheckId, HouseholdId, VillageId};

use super::machines::{Server, Trouble, create, enrol_device, open, say, sync};
use crate::disk::{Disk, Tape};

/// The disks of a session, as their tracks on the tape are numbered.
pub(crate) const SERVER: usize = 0;
pub(crate) const DEVICE: usize = 1;

/// What somebody was told, so that it must be there from then on.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// The server was set up, its roster imported.
    SetUp,
    /// A receipt left the server.
    Receipted(Box<SignedReceipt>),
    /// The device's store was made.
    Created,
    /// The device was enrolled.
    Enrolled,
    /// These fields of a household's register were written in one change.
    Written { household: HouseholdId, fields: [(&'static str, &'static str); 2] },
    /// An answer was kept in a draft.
    Answered { check: CheckId, key: &'static str },
    /// A check was submitted.
    Submitted(CheckId),
    /// The device was told that so many of its batches are received.
    Received(usize),
}

/// A session as it was recorded.
pub(crate) struct Session {
    pub(crate) tape: Tape,
    /// Facts with the moment from which each holds, in order.
    pub(crate) facts: Vec<(usize, Fact)>,
    pub(crate) profile: Profile,
}

struct Script {
    session: Session,
    received: usize,
}

impl Script {
    fn fact(&mut self, fact: Fact) {
        self.session.facts.push((self.session.tape.length(), fact));
    }

    fn write(
        &mut self,
        client: &mut Client,
        household: HouseholdId,
        fields: [(&'static str, &'static str); 2],
    ) -> Result<(), Trouble> {
        let edits = fields.map(|(key, text)| Edit::text(key, text));
        client.edit_household(household, &edits).map_err(|e| say("edit")(&e))?;
        self.fact(Fact::Written { household, fields });
        Ok(())
    }

    fn sync(&mut self, client: &mut Client, server: &Server) -> Result<(), Trouble> {
        sync(client, server)?;
        for (moment, receipt) in server.receipts() {
            self.received += 1;
            self.session.facts.push((moment, Fact::Receipted(Box::new(receipt))));
        }
        self.fact(Fact::Received(self.received));
        Ok(())
    }

    fn check(&mut self, client: &mut Client, household: HouseholdId) -> Result<(), Trouble> {
        let check = client.start_check(household, "routine").map_err(|e| say("check")(&e))?;
        for (key, text) in [("answer/income/wage_income", "26600"), ("answer/housing/grade", "B")] {
            let input = Input::Text(text.to_owned());
            client.set_answer(check, key, &input, &Because::default()).map_err(|e| say("answer")(&e))?;
            self.fact(Fact::Answered { check, key });
        }
        client.submit(check, "completed", &[]).map_err(|e| say("submit")(&e))?;
        self.fact(Fact::Submitted(check));
        Ok(())
    }
}

impl Session {
    /// Runs the session with all going well, and records it.
    pub(crate) fn record(profile: Profile) -> Self {
        let (server, device) = (Disk::new(), Disk::new());
        let session = Self { tape: Tape::default(), facts: Vec::new(), profile };
        server.record(&session.tape);
        device.record(&session.tape);
        let mut script = Script { session, received: 0 };
        run(&mut script, &server, &device).unwrap();
        script.session
    }

    /// Runs the session on these disks as far as it comes: the facts until then, and what stopped it.
    pub(crate) fn run(profile: Profile, server: &Disk, device: &Disk) -> (Self, Result<(), Trouble>) {
        let session = Self { tape: Tape::default(), facts: Vec::new(), profile };
        let mut script = Script { session, received: 0 };
        let ended = run(&mut script, server, device);
        (script.session, ended)
    }

    /// The facts that hold at a moment.
    pub(crate) fn facts_at(&self, moment: usize) -> &[(usize, Fact)] {
        &self.facts[..self.facts.partition_point(|(from, _)| *from <= moment)]
    }
}

fn run(script: &mut Script, server_disk: &Disk, device_disk: &Disk) -> Result<(), Trouble> {
    let profile = script.session.profile;
    let server = Server::start(server_disk, 1, &script.session.tape).map_err(|e| say("server")(&e))?;
    server.set_up()?;
    script.fact(Fact::SetUp);
    let mut client = create(device_disk, profile, 1).map_err(|e| say("create")(&e))?;
    script.fact(Fact::Created);
    enrol_device(&mut client, &server)?;
    script.fact(Fact::Enrolled);
    script.sync(&mut client, &server)?;
    let village = client.villages().map_err(|e| say("villages")(&e))?.first().ok_or("no village")?.id;
    let listed = client.households(village, &Default::default()).map_err(|e| say("list")(&e))?;
    let household = listed.first().ok_or("no household")?.id;
    script.write(&mut client, household, [("dwelling_address", "三组18号"), ("remarks", "看门牌")])?;
    script.check(&mut client, household)?;
    script.sync(&mut client, &server)?;
    server.checkpoint()?;
    drop(client);
    drop(server);
    another_day(script, server_disk, device_disk, village)
}

/// Both programs are started again.
fn another_day(
    script: &mut Script,
    server_disk: &Disk,
    device_disk: &Disk,
    village: VillageId,
) -> Result<(), Trouble> {
    let server = Server::start(server_disk, 2, &script.session.tape).map_err(|e| say("server")(&e))?;
    let mut client = open(device_disk, script.session.profile, 2).map_err(|e| say("open")(&e))?;
    let household = NewHousehold { group_name: "一组".to_owned(), address: None, phone: None };
    let member = NewMember {
        full_name: "李四方".to_owned(),
        cert_no: Some("439921197603150018".to_owned()),
        fields: Default::default(),
        source: None,
    };
    let founded = client.new_household(village, &household, &[member]).map_err(|e| say("found")(&e))?;
    script.write(&mut client, founded, [("dwelling_address", "一组3号"), ("remarks", "新户")])?;
    script.sync(&mut client, &server)?;
    server.checkpoint()?;
    script.sync(&mut client, &server)
}
