//! Databases and programs that are newer than this one.

use std::fs;

use ruhu_client_core::TransportError;
use ruhu_client_core::{
    Client, Error, HttpRequest, HttpResponse, HttpTransport, SystemEnvironment, Transport,
};
use ruhu_survey::id::EpochId;
use ruhu_sync::request::Hello;
use ruhu_sync::response::Welcome;
use ruhu_sync::{PROTOCOL_VERSION, Refused, RequestFrame, ResponseFrame, Side, encode_all};

use super::{Scene, tell};
use crate::hand::{Hand, frames};
use crate::unlock;
use crate::world::PASSPHRASE;

#[test]
fn a_device_database_from_a_newer_version_is_left_alone_and_can_be_set_aside() {
    let scene = Scene::new();
    let device = scene.world.enrol("孙磊", "work_team", &scene.code);
    device.sync();
    device.run(&["edit", &scene.household, "dwelling_address", "还没有发送"]);
    let database = unlock::database(&device.store, PASSPHRASE);
    let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    database.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(database);
    let bytes = fs::read(device.store.join("ruhu.db")).unwrap();

    let said = device.refused(&["status"], 6);
    assert!(said.contains("schema 99") && said.contains("upgrade"), "{said}");
    tell("a device database from a newer version", &said);
    assert_eq!(fs::read(device.store.join("ruhu.db")).unwrap(), bytes, "it is left as it is");
    scene.honest_work_goes_on();

    let said = device.run(&["unlock", "--set-aside"]);
    tell("unlock --set-aside", &said);
    assert_eq!(fs::read(device.store.join("ruhu.db.aside-1")).unwrap(), bytes, "kept under another name");
    assert_eq!(device.json(&["status"])["device"], serde_json::Value::Null, "the new store is empty");

    for name in ["ruhu.db", "ruhu.key"] {
        fs::rename(device.store.join(format!("{name}.aside-1")), device.store.join(name)).unwrap();
    }
    for name in ["ruhu.db-wal", "ruhu.db-shm"] {
        let _ = fs::remove_file(device.store.join(name));
    }
    let database = unlock::database(&device.store, PASSPHRASE);
    database.execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
    drop(database);
    assert_eq!(device.sync()["receipts"], 1, "the program that knows it finds the edit and sends it");
}

#[test]
fn a_server_database_from_a_newer_version_is_neither_served_nor_touched() {
    let mut scene = Scene::new();
    scene.world.kill();
    let version = scene.count("PRAGMA user_version");
    scene.database().execute_batch("PRAGMA user_version = 99").unwrap();
    for arguments in
        [&["verify"][..], &["rebuild"], &["serve", "--listen", "127.0.0.1:0"], &["device", "list"]]
    {
        let output = scene.world.try_operate(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(
            said.contains("schema version 99") && said.contains("upgrade this program"),
            "{arguments:?}: {said}"
        );
        tell(&format!("a newer server database: {}", arguments.join(" ")), &said);
    }
    assert_eq!(scene.count("PRAGMA user_version"), 99);
    scene.database().execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
    scene.world.start();
    scene.honest_work_goes_on();
    scene.verifies();
}

#[test]
fn a_device_that_speaks_a_newer_protocol_is_told_that_the_server_must_be_upgraded() {
    let scene = Scene::new();
    let hand = Hand::enrol(&scene.world, "孙磊", "work_team", &scene.code);
    let newer = Hello { protocol: PROTOCOL_VERSION + 1, ..hand.hello() };
    let answer = frames(&hand.post(encode_all(&[RequestFrame::Hello(newer)])));
    let [ResponseFrame::Refused(Refused { code, detail, upgrade })] = answer.as_slice() else {
        panic!("{answer:?}")
    };
    assert_eq!((code.as_str(), *upgrade), ("protocol_too_new", Some(Side::Server)));
    assert!(detail.ends_with("upgrade the server"), "{detail}");
    tell("a hello of protocol 2", &format!("{code}: {detail}"));
    scene.honest_work_goes_on();
}

/// A server that speaks a newer protocol: everything is the real one's but the answer to a sync.
struct NewerServer(HttpTransport);

impl Transport for NewerServer {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let sync = request.path == "/v1/sync";
        let mut response = self.0.send(request).await?;
        if sync {
            let welcome = Welcome {
                protocol: PROTOCOL_VERSION + 1,
                epoch: EpochId::from_bytes([1; 16]),
                server_time_ms: 0,
                schema: 9,
            };
            response.body = encode_all(&[ResponseFrame::Welcome(welcome), ResponseFrame::Bye]);
        }
        Ok(response)
    }
}

#[test]
fn a_server_that_speaks_a_newer_protocol_makes_the_device_ask_for_its_own_upgrade() {
    let scene = Scene::new();
    let device = scene.world.enrol("孙磊", "work_team", &scene.code);
    device.sync();
    device.run(&["edit", &scene.household, "dwelling_address", "还没有发送"]);
    let environment = Box::new(SystemEnvironment::new());
    let mut client = Client::open(&device.store, PASSPHRASE, environment).unwrap();
    let newer = NewerServer(HttpTransport::new(&scene.world.url()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(client.sync(&newer, &mut |_| {})).unwrap_err();
    assert!(matches!(error, Error::Upgrade(Side::Device)), "{error:?}");
    assert_eq!(error.to_string(), "the device must be upgraded: the sync protocols differ");
    tell("a server of protocol 2", &error.to_string());
    drop(client);
    scene.honest_work_goes_on();
    assert_eq!(device.sync()["receipts"], 1, "nothing is lost, and the real server takes it");
}
