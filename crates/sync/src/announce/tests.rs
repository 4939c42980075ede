//! Whose word an announcement is, and which of two is the newer one.

use proptest::prelude::*;

use super::*;
use crate::samples::{DEPLOYMENT, EPOCH, VILLAGE};

fn subject() -> (SecretKey, Subject) {
    let key = SecretKey::from_seed([2; 32]);
    let device = key.public().device_id();
    (key, Subject { deployment: DEPLOYMENT, epoch: EPOCH, device, village: VILLAGE })
}

#[test]
fn a_signature_is_over_every_part() {
    let (key, subject) = subject();
    let announced = Announced { next: 7, checks: 6, drafts: 1 };
    let signature = subject.sign(&announced, &key);
    let holds =
        |subject: &Subject, announced: &Announced| subject.is_signed(announced, &signature, &key.public());
    assert!(holds(&subject, &announced));
    for other in [
        Announced { next: 8, ..announced },
        Announced { checks: 5, ..announced },
        Announced { drafts: 0, ..announced },
    ] {
        assert!(!holds(&subject, &other), "{other:?}");
    }
    for other in [
        Subject { deployment: DeploymentId::from_bytes([1; 16]), ..subject },
        Subject { epoch: EpochId::from_bytes([1; 16]), ..subject },
        Subject { device: DeviceId::from_bytes([1; 16]), ..subject },
        Subject { village: VillageId::from_bytes([1; 16]), ..subject },
    ] {
        assert!(!holds(&other, &announced), "{other:?}");
    }
    assert!(!subject.is_signed(&announced, &signature, &SecretKey::from_seed([3; 32]).public()));
}

#[test]
fn a_signed_one_that_comes_again_says_nothing_new_and_a_fresh_request_does() {
    let at = |next, drafts| Announced { next, checks: 0, drafts };
    assert!(at(0, 0).replaces(None, Proof::Itself));
    assert!(at(7, 0).replaces(Some(&at(6, 0)), Proof::Itself));
    assert!(!at(7, 2).replaces(Some(&at(7, 0)), Proof::Itself));
    assert!(at(7, 2).replaces(Some(&at(7, 0)), Proof::Request));
    assert!(!at(6, 0).replaces(Some(&at(7, 0)), Proof::Request), "it was on its way for longer");
}

#[test]
fn what_is_missing_is_what_is_announced_and_not_received() {
    let announced = |next| Announced { next, ..Announced::default() };
    assert_eq!(announced(0).missing(0), 0, "no batch was ever written");
    assert_eq!(announced(3).missing(0), 2, "batches are numbered from 1");
    assert_eq!(announced(3).missing(2), 1);
    assert_eq!(announced(3).missing(3), 0);
    assert_eq!(announced(3).missing(9), 0, "it has written more since");
}

#[test]
fn checks_are_left_as_long_as_a_batch_of_them_may_be_missing_and_drafts_for_good() {
    let announced = Announced { next: 3, checks: 2, drafts: 1 };
    assert_eq!(announced.left(2), Left { missing: 1, checks: 2, drafts: 1 });
    assert_eq!(announced.left(3), Left { missing: 0, checks: 0, drafts: 1 });
}

proptest! {
    /// Requests of one device arrive in any order, some again, some of them cut: what is believed last reaches as far
    /// as the farthest that arrived, and of a device that has stopped writing the last whole request is believed.
    #[test]
    fn whatever_arrives_and_how_often_the_farthest_announcement_stands(
        arrivals in proptest::collection::vec((0_u64..9, 0_u64..3, any::<bool>()), 1..40), last in 0_u64..3,
    ) {
        let mut held: Option<Announced> = None;
        for (next, drafts, whole) in &arrivals {
            let proof = if *whole { Proof::Request } else { Proof::Itself };
            let said = Announced { next: *next, checks: 0, drafts: *drafts };
            if said.replaces(held.as_ref(), proof) {
                held = Some(said);
            }
        }
        let farthest = arrivals.iter().map(|(next, ..)| *next).max();
        prop_assert_eq!(held.map(|held| held.next), farthest);
        let settled = Announced { next: farthest.unwrap_or(0), checks: 0, drafts: last };
        prop_assert!(settled.replaces(held.as_ref(), Proof::Request));
        // What was cut or repeated before can come again and changes nothing.
        for (next, drafts, _) in arrivals {
            let again = Announced { next, checks: 0, drafts };
            prop_assert!(!again.replaces(Some(&settled), Proof::Itself));
        }
    }
}
