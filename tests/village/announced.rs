//! What a first secretary knows of work that is still on another device.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use ruhu_client_core::{
    Client, HttpRequest, HttpResponse, HttpTransport, Query, SyncOutcome, Transport, TransportError,
};
use ruhu_sample::{Random, SampleVillage, visit_answers};
use ruhu_survey::household::{Because, Input};
use serde_json::{Value, json};

use crate::private::{device, wait};
use crate::restore::lose_and_restore;
use crate::world::{Device, World, village_of};

/// How many bytes of a request do not arrive.
const LOST_BYTES: usize = 8;

/// A link that breaks inside the next sync request, and is gone from then on.
struct Breaking {
    address: String,
    whole: HttpTransport,
    gone: Cell<bool>,
}

impl Breaking {
    fn to(world: &World) -> Self {
        let address = world.url().trim_start_matches("http://").to_owned();
        Self { address, whole: HttpTransport::new(&world.url()).unwrap(), gone: Cell::new(false) }
    }

    /// Sends all of a request but its last bytes, and waits until the server has noticed.
    fn cut(&self, request: &HttpRequest) {
        let HttpRequest { method, path, headers, body } = request;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body[..body.len() - LOST_BYTES]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        drop(stream.read_to_end(&mut Vec::new()));
    }
}

impl Transport for Breaking {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        match request.path.as_str() {
            _ if self.gone.get() => Err(TransportError::Unreachable),
            "/v1/sync" => {
                self.cut(&request);
                self.gone.set(true);
                Err(TransportError::Cut)
            }
            _ => self.whole.send(request).await,
        }
    }
}

/// Submits a check of the first household, and begins one of the second.
fn visit(client: &mut Client, sample: &SampleVillage) {
    let village = client.villages().unwrap()[0].id;
    let listed = client.households(village, &Query::default()).unwrap();
    let check = client.start_check(listed[0].id, "screening").unwrap();
    for answer in visit_answers(&mut Random::new(7), &sample.households[0]) {
        let input = Input::Stored(answer.value.to_value());
        client.set_answer(check, &answer.key(), &input, &Because::default()).unwrap();
    }
    client.submit(check, "completed", &[]).unwrap();
    client.start_check(listed[1].id, "screening").unwrap();
}

/// The line of a device in what another one knows, without its time.
fn line(device: &Device, name: &str) -> Value {
    device.sync();
    let known = device.json(&["devices"]);
    let of = known["devices"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
    let mut announced = of["announced"].clone();
    if let Some(said) = announced.as_object_mut() {
        assert!(said.remove("at").unwrap().as_str().unwrap().ends_with('Z'));
    }
    announced
}

#[test]
fn what_is_still_on_a_tablet_is_known_though_its_link_broke_and_is_gone_once_it_arrived() {
    let sample = village_of(0, 6);
    let mut world = World::new(6);
    world.start();
    let secretary = world.enrol("覃远志", "first_secretary", &sample.code);
    let member = world.enrol("田桂花", "work_team", &sample.code);
    let (mut tablet, transport) = device(&world, "张秀英", &sample.code);
    let said =
        |missing, checks, drafts| json!({ "missing_batches": missing, "checks": checks, "drafts": drafts });
    assert_eq!(line(&secretary, "张秀英"), said(0, 0, 0), "it synced, and held nothing");

    visit(&mut tablet, &sample);
    let broken = wait(tablet.sync(&Breaking::to(&world), &mut |_| {})).unwrap();
    assert!(matches!(broken.outcome, SyncOutcome::Interrupted(_)), "{broken:?}");
    assert_eq!(line(&secretary, "张秀英"), said(1, 1, 1));
    let shown = secretary.run(&["devices"]);
    assert!(shown.contains("checks unsent") && shown.contains("张秀英"), "{shown}");
    assert_eq!(line(&member, "张秀英"), Value::Null, "a member is not told");

    // The first secretary is out of the network: what was told is kept, and the server forgets nothing either.
    world.kill();
    world.start();
    assert_eq!(line(&secretary, "张秀英"), said(1, 1, 1));

    let whole = wait(tablet.sync(&transport, &mut |_| {})).unwrap();
    assert_eq!((whole.outcome, whole.waiting), (SyncOutcome::Complete, 0));
    assert_eq!(line(&secretary, "张秀英"), said(0, 0, 1));
    assert!(world.operate(&["verify"]).contains("agree"));
}

#[test]
fn a_restored_server_and_who_follows_it_forget_what_was_announced_before() {
    let sample = village_of(0, 6);
    let mut world = World::new(6);
    world.start();
    let secretary = world.enrol("覃远志", "first_secretary", &sample.code);
    let (mut tablet, transport) = device(&world, "张秀英", &sample.code);
    assert_eq!(line(&secretary, "张秀英")["missing_batches"], 0);
    let backups = world.path("backups").to_string_lossy().into_owned();
    assert!(world.operate(&["backup", &backups, "--with-key"]).contains("verified"));
    visit(&mut tablet, &sample);
    drop(wait(tablet.sync(&Breaking::to(&world), &mut |_| {})).unwrap());
    assert_eq!(line(&secretary, "张秀英")["missing_batches"], 1);

    lose_and_restore(&mut world);
    world.start();
    assert_eq!(line(&secretary, "张秀英"), Value::Null, "nothing was announced to this server yet");
    let whole = wait(tablet.sync(&transport, &mut |_| {})).unwrap();
    assert_eq!(whole.outcome, SyncOutcome::Complete);
    assert_eq!(line(&secretary, "张秀英"), json!({ "missing_batches": 0, "checks": 0, "drafts": 1 }));
}
