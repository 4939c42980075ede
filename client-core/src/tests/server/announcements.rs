//! What the server in memory is told of unsent work, and whom it tells.

use ruhu_sync::announce::{Announcement, Announcements};

use super::*;

impl FakeServer {
    pub(super) fn hear(
        state: &mut State,
        hello: Option<&Hello>,
        query: Option<&VillageQuery>,
        said: Announcement,
    ) {
        let (device, village) = (hello.unwrap().device, query.unwrap().village);
        state.given.insert(village, said.given);
        let of = state.announcements.entry(village).or_default();
        let number = of.last().map_or(0, |last| last.number) + 1;
        of.retain(|told| told.device != device);
        of.push(Told { number, device, announced: said.announced, at_ms: RECEIVED_MS });
    }

    /// What others announced, to the first secretary; all of it to one whose cursor is of another epoch.
    pub(super) fn announced(
        &self,
        state: &State,
        hello: &Hello,
        query: &VillageQuery,
    ) -> Option<ResponseFrame> {
        let role = state.certificates[&hello.device].statement.role;
        let village = query.village;
        let of = state.announcements.get(&village).filter(|_| role == Role::FirstSecretary)?;
        let present = query.cursor.is_some_and(|cursor| cursor.epoch == self.epoch());
        let given = state.given.get(&village).filter(|_| present).copied().unwrap_or(0);
        let news = of.iter().filter(|told| told.number > given && told.device != hello.device);
        let told: Vec<Told> = news.copied().collect();
        (!told.is_empty()).then_some(ResponseFrame::Announcements(Announcements { village, told }))
    }
}
