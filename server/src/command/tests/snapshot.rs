//! What a village in one piece costs on the day of its roster.

use ruhu_sample::roster_csv;
use ruhu_sync::snapshot::{About, Content, open, seal};

use super::World;
use super::roster::{import, our_village, sample};
use crate::store::{CopyStore as _, PeopleStore as _};

const HOUSEHOLDS: usize = 1_000;
/// The aim for 1,000 households on the day of the roster; measured: 419 KB.
const PIECE_BYTES_MAX: usize = 450_000;
/// The keys of private values come on top, in the session: an id and a key for each household, which nothing
/// makes shorter.
const KEY_BYTES: usize = 16 + 64;

/// Every accepted change as it is, with its document, packed in the same way.
fn raw(content: &Content) -> usize {
    let mut bytes = Vec::new();
    for part in &content.documents {
        bytes.extend(part.id.id);
        part.accepted.iter().for_each(|line| bytes.extend(&line.bytes));
    }
    zstd::bulk::compress(&bytes, 19).unwrap().len()
}

#[test]
fn a_thousand_households_in_one_piece_are_within_their_budget() {
    let world = World::cili();
    import(&world, "roster.csv", roster_csv(&sample(HOUSEHOLDS)), "").unwrap();
    let (store, keys, village) = (world.store(), world.keys(), our_village(&world).id);
    let material = store.snapshot_material(village).unwrap().unwrap();
    let about = About {
        deployment: store.deployment().unwrap().deployment,
        epoch: material.epoch,
        village,
        number: material.number,
        schema: 1,
        made_ms: 1_790_000_000_000,
        fingerprint: material.fingerprint,
    };
    let sealed = seal(&material.content, &about, &keys.signing).unwrap();
    let (packed, raw) = (sealed.packed.len(), raw(&material.content));
    println!(
        "{HOUSEHOLDS} households: {packed} bytes packed, {} unpacked; raw changes packed alike {raw}; with keys {}",
        sealed.statement.statement.bytes,
        packed + HOUSEHOLDS * KEY_BYTES
    );
    assert_eq!(open(&sealed, &keys.signing.public()).unwrap(), material.content);
    assert!(packed < raw, "columns are smaller than raw changes: {packed} and {raw}");
    assert!(packed <= PIECE_BYTES_MAX, "{packed} bytes");
}
