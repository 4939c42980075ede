//! What the devices of the model world announced, as the server keeps it and as a device is told it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Device, VILLAGES};
use crate::announce::{Announced, Announcements, Proof, Told};
use crate::response::ResponseFrame;
use ruhu_survey::id::{DeviceId, VillageId};

/// The newest announcement of each device in each village.
#[derive(Debug, Default)]
pub(super) struct Board(BTreeMap<(VillageId, DeviceId), Told>);

impl Board {
    /// The highest number that was given of a village.
    pub(super) fn last(&self, village: VillageId) -> u64 {
        let of = self.0.iter().filter(|((of, _), _)| *of == village);
        of.map(|(_, told)| told.number).max().unwrap_or(0)
    }

    /// The server hears an announcement.
    pub(super) fn hear(&mut self, village: VillageId, device: DeviceId, announced: Announced, proof: Proof) {
        let before = self.0.get(&(village, device)).map(|told| told.announced);
        if announced.replaces(before.as_ref(), proof) {
            let number = self.last(village) + 1;
            self.0.insert((village, device), Told { number, device, announced, at_ms: 0 });
        }
    }

    /// What a device was not told yet.
    pub(super) fn newer(&self, village: VillageId, asks: DeviceId, given: u64) -> Option<ResponseFrame> {
        let of = self.0.iter().filter(|((of, device), _)| *of == village && *device != asks);
        let mut told: Vec<Told> = of.map(|(_, told)| *told).filter(|told| told.number > given).collect();
        told.sort_by_key(|told| told.number);
        (!told.is_empty()).then_some(ResponseFrame::Announcements(Announcements { village, told }))
    }

    /// A device is told; what it heard already stays when it comes again.
    pub(super) fn write_down(&mut self, told: &Announcements) {
        for one in &told.told {
            let held = self.0.entry((told.village, one.device)).or_insert(*one);
            if held.number < one.number {
                *held = *one;
            }
        }
    }

    /// Where everybody has everything, each other device is known by how far its chain reaches, and lacks nothing.
    pub(super) fn agrees(&self, own: DeviceId, devices: &[Device]) -> Result<(), TestCaseError> {
        for village in VILLAGES {
            for other in devices.iter().filter(|other| other.id != own) {
                let of = |held: &&Device| held.id == other.id;
                let written = devices.iter().filter(of).filter_map(|held| held.own.get(&village));
                let reaches = written.map(|(number, _)| number + 1).max().unwrap_or(0);
                let told = self.0.get(&(village, other.id)).map(|told| told.announced);
                prop_assert_eq!(told, Some(Announced { next: reaches, ..Announced::default() }));
                prop_assert_eq!(told.map(|told| told.missing(reaches)), Some(0));
            }
        }
        Ok(())
    }
}
