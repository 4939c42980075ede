//! Photos from the camera to the server's shelf: a thousand of them over a link that breaks, past a killed server,
//! and out again on another device.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use ruhu_client_core::{
    Asked, Client, Error, HttpTransport, NewPhoto, PhotoOutcome, PhotoPart, PhotoReport, PhotoState, Query,
};
use ruhu_link::{Link, Shape};
use ruhu_survey::household::{Because, Input};
use ruhu_survey::id::{CheckId, HouseholdId};
use ruhu_survey::photo::PhotoAddress;
use ruhu_sync::limits::PHOTO_PIECE_BYTES;

use crate::private::{device, wait};
use crate::restore::lose_and_restore;
use crate::world::{World, village_of};

const HOUSEHOLDS: usize = 72;
const PHOTOS: usize = 1_000;
/// Every so many photos is a large one, which takes several pieces.
const LARGE_EVERY: usize = 10;
const SMALL_BYTES: usize = 2_000;
const LARGE_BYTES: usize = 40_000;
/// A link that is no hindrance, but breaks again and again: as often as one of 160 kbit/s that breaks every 5 s.
const BREAKING: Shape = Shape { cut_after: Some(100_000), ..Shape::WIDE };

/// A picture as far as anybody looks, and no other photo's.
fn picture(number: usize, bytes: usize) -> Vec<u8> {
    let begin = [0xff, 0xd8, 0xff, 0xe0].into_iter().chain(number.to_be_bytes());
    begin.chain((12..bytes).map(|at| (at * 31 % 251) as u8)).collect()
}

fn bytes_of(number: usize) -> usize {
    if number.is_multiple_of(LARGE_EVERY) { LARGE_BYTES } else { SMALL_BYTES }
}

/// A photo that was taken: of which household, and as which one.
struct Taken {
    household: HouseholdId,
    address: PhotoAddress,
    number: usize,
}

fn take(client: &mut Client, check: CheckId, question: &str, number: usize) -> PhotoAddress {
    let (original, thumbnail) = (picture(number, bytes_of(number)), picture(number, 300));
    let new = NewPhoto { original: &original, thumbnail: &thumbnail, taken_ms: 1_790_000_000_000 };
    client.add_photo(check, &Asked { question, member: None, element: None }, &new).unwrap()
}

fn submit(client: &mut Client, check: CheckId) {
    let hazard = Asked { question: "house_signs", member: None, element: Some("leaking") };
    let yes = Input::Stored(ruhu_survey::change::Value::Bool(true));
    client.answer_question(check, &hazard, &yes, &Because::default()).unwrap();
    client.submit(check, "completed", &[]).unwrap();
}

/// Takes so many photos in checks of a village's households, six of each house and eight signatures, and submits.
fn visit(client: &mut Client, photos: usize) -> Vec<Taken> {
    let village = client.villages().unwrap()[0].id;
    let households = client.households(village, &Query::default()).unwrap();
    let questions = [("house_photos", 6), ("visitor_signs", 8)];
    let places = questions.iter().flat_map(|(question, most)| std::iter::repeat_n(*question, *most));
    let mut taken = Vec::new();
    for household in households.iter().map(|household| household.id) {
        if taken.len() == photos {
            break;
        }
        let check = client.start_check(household, "screening").unwrap();
        for question in places.clone().take(photos - taken.len()) {
            let number = taken.len();
            taken.push(Taken { household, address: take(client, check, question, number), number });
        }
        submit(client, check);
    }
    assert_eq!(taken.len(), photos);
    taken
}

fn send(client: &mut Client, transport: &HttpTransport) -> PhotoReport {
    wait(client.send_photos(transport, &mut |_| {}, &|| false)).unwrap()
}

#[test]
fn a_thousand_photos_get_through_cuts_and_nothing_is_sent_twice_but_the_piece_in_flight() {
    let sample = village_of(0, HOUSEHOLDS);
    let mut world = World::new(HOUSEHOLDS);
    world.start();
    let (mut client, wide) = device(&world, "张秀英", &sample.code);
    let taken = visit(&mut client, PHOTOS);
    wait(client.sync(&wide, &mut |_| {})).unwrap();
    let (waiting, bytes) = client.photos_waiting().unwrap();
    assert_eq!(waiting, PHOTOS as u64);

    let server = world.url().trim_start_matches("http://").parse().unwrap();
    let link = Link::open(SocketAddr::from(([127, 0, 0, 1], 0)), server, BREAKING).unwrap();
    let transport = HttpTransport::new(&format!("http://{}", link.address())).unwrap();
    let report = send(&mut client, &transport);
    assert_eq!(report.outcome, PhotoOutcome::Complete, "{report:?}");
    assert_eq!((report.progress.received, report.progress.bytes), (PHOTOS as u64, bytes));
    let counted = link.counted();
    let twice = report.sent_bytes - bytes;
    eprintln!(
        "{PHOTOS} photos, {bytes} bytes: {} bytes of pieces sent, {twice} of them twice, {} requests, {} cuts, \
         {} bytes up with headers",
        report.sent_bytes, report.requests, counted.cuts, counted.up_bytes
    );
    assert!(counted.cuts >= 20, "{counted:?}");
    assert!(twice <= counted.cuts * PHOTO_PIECE_BYTES as u64);
    // A piece that is cut is one that was sent and did not count: each shows as a failure of the run.
    assert!(report.failures <= counted.cuts, "{report:?}");
    assert!(send(&mut client, &wide).requests == 0, "nothing is asked about again");
    drop(link);

    let said = world.operate(&["verify"]);
    assert!(said.contains(&format!("{PHOTOS} photos.\n")), "{said}");
    let (mut other, wide) = device(&world, "李国强", &sample.code);
    for one in taken.iter().step_by(97) {
        let fetched = other.fetch_photo(&wide, one.household, &one.address, PhotoPart::Original);
        assert_eq!(wait(fetched).unwrap(), picture(one.number, bytes_of(one.number)));
    }
}

#[test]
fn a_server_that_is_killed_in_the_middle_goes_on_with_what_it_had() {
    let sample = village_of(0, 3);
    let mut world = World::new(3);
    world.start();
    let (mut client, transport) = device(&world, "张秀英", &sample.code);
    let village = client.villages().unwrap()[0].id;
    let household = client.households(village, &Query::default()).unwrap()[0].id;
    let check = client.start_check(household, "screening").unwrap();
    let large = picture(1, 9 * PHOTO_PIECE_BYTES);
    let new = NewPhoto { original: &large, thumbnail: &[], taken_ms: 1 };
    let house = Asked { question: "house_photos", member: None, element: None };
    let address = client.add_photo(check, &house, &new).unwrap();
    submit(&mut client, check);
    wait(client.sync(&transport, &mut |_| {})).unwrap();
    let (_, total) = client.photos_waiting().unwrap();

    let mut sent = 0;
    let mut held = 0;
    for pieces in [2_u64, 3] {
        let mut answers = 0_u64;
        let mut kill = |progress: ruhu_client_core::PhotoProgress| {
            answers += 1;
            held = held.max(progress.bytes);
            // The first answer says what is held.
            if answers == pieces + 1 {
                world.kill();
            }
        };
        let report = wait(client.send_photos(&transport, &mut kill, &|| false)).unwrap();
        assert!(matches!(report.outcome, PhotoOutcome::Interrupted(_)), "{report:?}");
        assert_eq!(report.progress.bytes, pieces * PHOTO_PIECE_BYTES as u64);
        sent += report.progress.bytes;
        world.start();
    }
    let report = send(&mut client, &transport);
    assert_eq!((&report.outcome, report.sent_bytes), (&PhotoOutcome::Complete, total - sent));

    // Two devices that hold one photo: the second is told that it is there.
    let file = world.data().join("photos").join(village.to_string()).join(address.to_string());
    assert_eq!(fs::metadata(&file).unwrap().len(), total);
    let mut bytes = fs::read(&file).unwrap();
    let (mut other, transport) = device(&world, "李国强", &sample.code);
    let listed = other.photos(household).unwrap();
    assert_eq!((listed[0].address, listed[0].state), (address, PhotoState::Others { here: false }));
    for place in [0, 40, bytes.len() / 2, bytes.len() - 1] {
        bytes[place] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let fetched = wait(other.fetch_photo(&transport, household, &address, PhotoPart::Original));
        assert!(matches!(fetched, Err(Error::Photo(_))), "a bit of byte {place} on the shelf: {fetched:?}");
        assert_eq!(other.photo(&address, PhotoPart::Original).unwrap(), None);
        bytes[place] ^= 1;
    }
    fs::write(&file, &bytes).unwrap();
    let fetched = other.fetch_photo(&transport, household, &address, PhotoPart::Original);
    assert_eq!(wait(fetched).unwrap(), large);
}

#[test]
fn the_command_line_takes_lists_sends_and_saves_photos() {
    let sample = village_of(0, 3);
    let mut world = World::new(3);
    world.start();
    let (one, other) =
        (world.enrol("张秀英", "work_team", &sample.code), world.enrol("李国强", "work_team", &sample.code));
    one.sync();
    let household = one.households().remove(0);
    let answers = world.path("answers.json");
    fs::write(&answers, r#"{"answer/housing/hazards/leaking": true}"#).unwrap();
    let answers = answers.to_string_lossy().into_owned();
    let kept = one.json(&["check", &household, "--answers", &answers, "--keep-draft"]);
    let check = kept["check"].as_str().unwrap();
    let file = |name: &str, bytes: usize| {
        let path = world.path(name);
        fs::write(&path, picture(7, bytes)).unwrap();
        path.to_string_lossy().into_owned()
    };
    let (usual, large) = (file("wall.jpg", 50_000), file("large.jpg", 400_000));
    let said = one.refused(&["photo", "add", check, &large], 7);
    assert!(said.contains("400000 bytes") && said.contains("--large"), "{said}");
    let said = one.refused(&["photo", "add", check, &answers], 7);
    assert!(said.contains("neither a JPEG nor a PNG"), "{said}");
    let added = one.json(&["photo", "add", check, &usual]);
    assert_eq!(added["key"], "answer/evidence/house/1");
    one.json(&["photo", "add", check, &large, "--large"]);
    one.json(&["photo", "remove", check, "answer/evidence/house/2"]);
    let address = added["photo"].as_str().unwrap();
    assert_eq!(one.json(&["photo", "list", &household])[0]["state"]["state"], "draft");

    one.run(&["check", &household, "--answers", &answers]);
    assert_eq!(one.json(&["sync", "--no-photos"])["photos"], serde_json::Value::Null);
    let said = one.run(&["status"]);
    assert!(said.contains("1 photos wait to be sent") && !said.contains("received everything"), "{said}");
    assert_eq!(one.json(&["status"])["unsent"]["photos"], 1);
    let synced = one.sync();
    assert_eq!(
        (&synced["photos"]["outcome"], &synced["photos"]["received"]),
        (&"complete".into(), &1.into())
    );
    assert_eq!(one.json(&["photo", "list", &household])[0]["state"]["state"], "received");
    assert!(one.run(&["status"]).contains("received everything"));

    other.sync();
    assert_eq!(
        other.json(&["photo", "list", &household])[0]["state"],
        serde_json::json!({"state": "others", "here": false})
    );
    let out = world.path("out.jpg");
    other.run(&["photo", "save", &household, &address[..12], &out.to_string_lossy()]);
    assert_eq!(fs::read(&out).unwrap(), picture(7, 50_000));
}

#[test]
fn a_weak_link_that_breaks_every_few_seconds_still_gets_a_photo_through() {
    let sample = village_of(0, 3);
    let mut world = World::new(3);
    world.start();
    let (mut client, wide) = device(&world, "张秀英", &sample.code);
    let taken = visit(&mut client, 1);
    wait(client.sync(&wide, &mut |_| {})).unwrap();
    let server = world.url().trim_start_matches("http://").parse().unwrap();
    // As many bytes as 20 kbit/s bring in 5 s: a piece of the usual size never gets through.
    let shape = Shape { cut_after: Some(12_500), round_trip: Duration::from_millis(5), ..Shape::WIDE };
    let link = Link::open(SocketAddr::from(([127, 0, 0, 1], 0)), server, shape).unwrap();
    let transport = HttpTransport::new(&format!("http://{}", link.address())).unwrap();
    let report = send(&mut client, &transport);
    assert_eq!((&report.outcome, report.progress.received), (&PhotoOutcome::Complete, 1), "{report:?}");
    let listed = client.photos(taken[0].household).unwrap();
    assert!(matches!(listed[0].state, PhotoState::Received { .. }));
}

#[test]
fn after_a_restore_devices_send_again_what_did_not_come_back() {
    let sample = village_of(0, 3);
    let mut world = World::new(3);
    world.start();
    let (mut client, wide) = device(&world, "张秀英", &sample.code);
    let taken = visit(&mut client, 5);
    wait(client.sync(&wide, &mut |_| {})).unwrap();
    assert_eq!(send(&mut client, &wide).progress.received, 5);
    let backups = world.path("backups").to_string_lossy().into_owned();
    let said = world.operate(&["backup", &backups, "--with-key"]);
    assert!(said.contains("5 photos are in it"), "{said}");
    let backup = fs::read_dir(&backups).unwrap().next().unwrap().unwrap().path();
    let lost = fs::read_dir(backup.join("photos")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(lost.join(taken[3].address.to_string())).unwrap();
    let said = lose_and_restore(&mut world);
    assert!(
        said.contains("4 photos were restored") && said.contains("1 photos are not in the backup"),
        "{said}"
    );
    world.start();

    wait(client.sync(&wide, &mut |_| {})).unwrap();
    let again = send(&mut client, &wide);
    assert_eq!((&again.outcome, again.progress.received), (&PhotoOutcome::Complete, 5), "{again:?}");
    // Five questions, and one piece of the one that was lost.
    assert_eq!(again.requests, 6, "{again:?}");
    assert_eq!(send(&mut client, &wide).requests, 0);
    let (mut other, wide) = device(&world, "李国强", &sample.code);
    let fetched = other.fetch_photo(&wide, taken[3].household, &taken[3].address, PhotoPart::Original);
    assert_eq!(wait(fetched).unwrap(), picture(3, SMALL_BYTES));
}
