//! Batches that are not what they should be: of another village, altered on the way, sent twice, or a bomb.

use ruhu_ledger::batch::Batch;
use ruhu_ledger::statement::Statement as _;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::codec::Writer;
use ruhu_sync::ResponseFrame;
use sha2::{Digest as _, Sha256};

use super::{Scene, tell};
use crate::hand::{Hand, frames, problems, receipts, refusal};
use crate::world::village_of;

/// What the server may say of a batch in which one bit was flipped.
const CODES: [&str; 7] = [
    "bad_payload",
    "bad_signature",
    "body_malformed",
    "unknown_device",
    "wrong_deployment",
    "wrong_user",
    "wrong_village",
];

/// What the server keeps of batches and changes, and how long its log is.
fn books(scene: &Scene) -> [i64; 4] {
    ["batch", "staged_batch", "change", "log_leaf"]
        .map(|table| scene.count(&format!("SELECT count(*) FROM {table}")))
}

#[test]
fn a_device_neither_reads_nor_writes_a_village_that_is_not_its_own() {
    let scene = Scene::new();
    let other = village_of(1, 3);
    let regions = format!("code,name\n{},{}\n", other.code, other.name);
    let file = scene.world.path("more-regions.csv");
    std::fs::write(&file, regions).unwrap();
    scene.world.operate(&["regions", "import", &file.to_string_lossy()]);
    scene.world.import_roster(&other);
    let guest = Hand::enrol(&scene.world, "孙磊", "work_team", &scene.code);
    let owner = Hand::enrol(&scene.world, "周敏", "work_team", &other.code);
    let (own, foreign) = (guest.village(&scene.code), owner.village(&other.code));
    let before = books(&scene);

    let asked = refusal(&guest.post(guest.body(foreign, &[])));
    assert_eq!(asked, (403, "village_not_granted".to_owned()));
    tell("asking for a village that is not granted", &format!("{asked:?}"));
    let batch = guest.seal(foreign, vec![guest.new_household("一组")]);
    let pushed = refusal(&guest.post(guest.body(foreign, &[batch.to_bytes()])));
    assert_eq!(pushed, (403, "village_not_granted".to_owned()));
    let hidden = problems(&guest.push(own, &[batch.to_bytes()]));
    assert_eq!(hidden, ["wrong_village"]);
    let carried = problems(&owner.push(foreign, &[batch.to_bytes()]));
    assert_eq!(carried, ["village_not_granted"], "somebody who may go there cannot carry it in either");
    tell("pushing to it, hiding it, having it carried", &format!("{pushed:?} {hidden:?} {carried:?}"));

    scene.world.operate(&["user", "add", "督查员", "--role", "supervisor", "--region", &scene.code]);
    let token = scene.world.operate(&["user", "token", "督查员"]);
    let token = token.lines().next().unwrap().trim();
    for path in ["households", "conflicts", "changes", "devices"] {
        let (status, said) = guest.web.get(token, &format!("/v1/villages/{foreign}/{path}"));
        assert_eq!((status, &said["code"]), (403, &"village_not_granted".into()), "{path}");
        assert_eq!(guest.web.get(token, &format!("/v1/villages/{own}/{path}")).0, 200, "{path}");
    }
    assert_eq!(books(&scene), before, "nothing of it was taken in");
    scene.honest_work_goes_on();
    scene.verifies();
}

#[test]
fn a_batch_with_any_bit_flipped_is_never_received() {
    let scene = Scene::new();
    let hand = Hand::enrol(&scene.world, "孙磊", "work_team", &scene.code);
    let village = hand.village(&scene.code);
    let honest = hand.seal(village, vec![hand.new_household("一组"), hand.new_household("二组")]);
    let bytes = honest.to_bytes();
    let before = books(&scene);
    let header_bytes = honest.header.to_bytes().len();
    let mut said = std::collections::BTreeMap::<(&str, String), u32>::new();
    for place in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[place] ^= 1 << (place % 8);
        let response = hand.post(hand.body(village, &[altered]));
        let code = match response.status {
            200 => {
                let frames = frames(&response);
                assert_eq!(receipts(&frames), [[0_u8; 0]; 0], "byte {place}");
                problems(&frames).concat()
            }
            _ => refusal(&response).1,
        };
        let part = match place {
            _ if place < header_bytes => "header",
            _ if place < header_bytes + 64 => "signature",
            _ => "payload",
        };
        *said.entry((part, code)).or_default() += 1;
    }
    for ((part, code), count) in &said {
        assert!(CODES.contains(&code.as_str()), "{part}: {code}");
        tell("a flipped bit", &format!("{part}: {code} ({count} places)"));
    }
    assert_eq!(said[&("signature", "bad_signature".to_owned())], 64);
    assert_eq!(books(&scene), before, "nothing of it was taken in, nothing waits");
    scene.honest_work_goes_on();
    assert_eq!(receipts(&hand.push(village, &[bytes])).len(), 1, "the batch itself is received");
    scene.verifies();
}

#[test]
fn a_request_altered_on_its_way_or_sent_again_by_somebody_else_is_refused() {
    let scene = Scene::new();
    let hand = Hand::enrol(&scene.world, "孙磊", "work_team", &scene.code);
    let village = hand.village(&scene.code);
    let body = hand.body(village, &[]);
    let nonce = hand.fresh_nonce();
    let mut altered = body.clone();
    *altered.last_mut().unwrap() ^= 1;
    let refused = refusal(&hand.web.send("POST", "/v1/sync", hand.proof(&nonce, &body), altered));
    assert_eq!(refused.0, 401, "{refused:?}");
    let nonce = hand.fresh_nonce();
    let proof = hand.proof(&nonce, &body);
    assert_eq!(hand.web.send("POST", "/v1/sync", proof.clone(), body.clone()).status, 200);
    let again = refusal(&hand.web.send("POST", "/v1/sync", proof, body));
    assert_eq!(again, (401, "nonce_unknown".to_owned()));
    tell("an altered and a recorded request", &format!("{refused:?} {again:?}"));
    scene.honest_work_goes_on();
}

#[test]
fn a_batch_sent_again_gets_the_same_receipt_and_nothing_is_doubled() {
    let scene = Scene::new();
    let hand = Hand::enrol(&scene.world, "孙磊", "work_team", &scene.code);
    let village = hand.village(&scene.code);
    let batch = hand.seal(village, vec![hand.new_household("一组")]).to_bytes();
    let first = receipts(&hand.push(village, std::slice::from_ref(&batch)));
    assert_eq!(first.len(), 1);
    let before = books(&scene);
    let mut again = receipts(&hand.push(village, &[batch.clone(), batch.clone()]));
    again.extend(receipts(&hand.push(village, std::slice::from_ref(&batch))));
    assert_eq!(again, vec![first[0].clone(); 3]);
    assert_eq!(books(&scene), before);
    tell(
        "a batch sent four times",
        &format!("one receipt of {} bytes, four times; books {before:?}", first[0].len()),
    );
    scene.honest_work_goes_on();
    assert_eq!(scene.witness.households().len(), 4);
    scene.verifies();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long the server takes is what is shown")]
fn a_signed_bomb_of_64_bytes_is_refused_in_milliseconds_and_takes_no_memory() {
    let scene = Scene::new();
    let hand = Hand::enrol(&scene.world, "孙磊", "work_team", &scene.code);
    let village = hand.village(&scene.code);
    let (million, hundred_million) = (bomb(&[0xc0, 0x84, 0x3d]), bomb(&[0x80, 0xc2, 0xd7, 0x2f]));
    assert_eq!((million.len(), hundred_million.len()), (64, 69));
    let document = hand.new_household("一组").0;
    let bombs = [(document, million), (document, hundred_million)];
    let batch = hand.seal(village, bombs.iter().cycle().take(100).cloned().collect());
    let memory = scene.world.peak_memory_kib();
    let begun = std::time::Instant::now();
    let frames = hand.push(village, &[batch.to_bytes()]);
    let (took, grew) = (begun.elapsed(), scene.world.peak_memory_kib() - memory);
    let verdicts = verdicts_of(&frames, &batch);
    assert_eq!(verdicts.len(), 100);
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Refused { reason: "malformed".to_owned() }));
    tell(
        "100 bombs in one batch",
        &format!("{} bytes, {took:?}, peak memory + {grew} KiB", batch.to_bytes().len()),
    );
    assert!(took.as_millis() < 1_000, "{took:?}");
    assert!(grew < 16 * 1024, "{grew} KiB");
    hand.keep(&batch);
    scene.honest_work_goes_on();
    let next = hand.seal(village, vec![hand.new_household("二组")]);
    assert_eq!(verdicts_of(&hand.push(village, &[next.to_bytes()]), &next), [Verdict::Accepted]);
    scene.verifies();
}

fn verdicts_of(frames: &[ResponseFrame], batch: &Batch) -> Vec<Verdict> {
    let receipt = frames.iter().find_map(|frame| match frame {
        ResponseFrame::Receipt(receipt) if receipt.statement.batch == batch.id() => Some(receipt),
        _ => None,
    });
    receipt.unwrap_or_else(|| panic!("no receipt: {frames:?}")).statement.verdicts.clone()
}

/// A change in which one key is put `count` times: the count is a LEB128 number.
fn bomb(count: &[u8]) -> Vec<u8> {
    let run = |value: &[u8]| [count, value].concat();
    let columns = [
        (0x15, run(&[1, b'a'])),
        (0x34, count.to_vec()),
        (0x42, run(&[1])),
        (0x56, run(&[0])),
        (0x70, run(&[0])),
    ];
    let mut body = Writer::new();
    body.raw(&[0, 16]).raw(&[1; 16]).raw(&[1, 1, 0, 0, 0]).varint(columns.len() as u64);
    for (specification, column) in &columns {
        body.varint(*specification).varint(column.len() as u64);
    }
    for (_, column) in &columns {
        body.raw(column);
    }
    let mut chunk = Writer::new();
    chunk.u8(1).bytes(&body.finish());
    let chunk = chunk.finish();
    [&[0x85, 0x6f, 0x4a, 0x83], &Sha256::digest(&chunk)[..4], &chunk].concat()
}
