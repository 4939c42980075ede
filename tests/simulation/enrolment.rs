//! A person enrols a device again whose key was found to be in two places.

use crate::world::World;

/// Steps in a thousand in which a person comes to it, while a device waits for one.
const COMES_PER_MILLE: u64 = 30;

impl World<'_> {
    /// Lets a person enrol one of the devices that wait for it, if it is time and the program is not busy.
    pub(crate) fn person_comes(&mut self) {
        let waiting = self.waiting_for_a_person();
        if waiting.is_empty() || self.net.host.router().is_none() || !self.dice.per_mille(COMES_PER_MILLE) {
            return;
        }
        let index = *self.dice.pick(&waiting);
        self.enrol_again(index);
    }

    /// People enrol every device that waits for it; whether one did.
    pub(crate) fn everybody_comes(&mut self) -> bool {
        let waiting = self.waiting_for_a_person();
        waiting.iter().for_each(|index| self.enrol_again(*index));
        !waiting.is_empty()
    }

    fn waiting_for_a_person(&self) -> Vec<usize> {
        let waits = self.nodes.iter().filter(|node| node.provisional && !node.revoked && node.is_idle());
        waits.map(|node| node.index).collect()
    }

    /// The person waits for a good network: an enrolment is one request and its answer.
    fn enrol_again(&mut self, index: usize) {
        self.net.tally.borrow_mut().fault("device: enrolled again after its key was in two places");
        let weather = self.net.weather.replace(crate::weather::Weather::calm());
        let enrolled = self.nodes[index].enrol_again((&self.net, self.turns), &mut self.book);
        self.net.weather.replace(weather);
        if let Err(error) = enrolled {
            self.book.violations.push(format!("node {index}: could not be enrolled again: {error:?}"));
            return;
        }
        self.nodes[index].barred = false;
        if self.trouble.expiring == Some(index) {
            self.trouble.expiring = None;
        }
    }
}
