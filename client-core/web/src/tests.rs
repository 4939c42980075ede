//! Calls end to end, over an ordinary folder; and the types that the app is written against.

use expect_test::expect_file;
use ruhu_client_core::{
    AnnouncedUnsent, DeviceSeen, DeviceStatus, Fork, FormUpdate, KnownDevice, LastSync, ListedHousehold,
    Overview, Progress, ReceiptLine, Repair, SendState, Status, Unsent, Village,
};
use ruhu_survey::expression::Val;
use ruhu_survey::field_table::{Source, Unit};
use ruhu_survey::form::{self, Label};
use ruhu_survey::id::{DeploymentId, DeviceId, HouseholdId, UserId, VillageId};
use ruhu_survey::role::Role;
use ruhu_survey::rule::RuleAnswer;
use ts_rs::{Config, TS};

use crate::answer::{
    Attribution, CheckLine, CheckPage, Conflict, DraftLine, Enrolment, Event, Field, FormPage, HouseholdPage,
    InputLine, LeadLine, MemberLine, PhoneLock, RefusedLine, Scalar, Standing, SyncResult,
};
use crate::call::{Call, HouseholdQuery, MemberSaid, Said, What};
use crate::photo::{PhotoCall, PhotoLine, PhotoProgress, PhotoResult, WantedPicture};
use crate::problem::Problem;

/// The declaration of each type, as TypeScript.
macro_rules! declarations {
    ($($type:ty),* $(,)?) => {{
        let config = Config::new().with_large_int("number");
        [$(format!("export {}\n", <$type>::decl(&config))),*].concat()
    }};
}

/// What a page shows of the device, the village and a household.
fn types_of_the_device() -> String {
    declarations!(
        Label,
        Scalar,
        Problem,
        PhoneLock,
        Standing,
        Enrolment,
        DeploymentId,
        DeviceId,
        HouseholdId,
        UserId,
        VillageId,
        Role,
        Village,
        DeviceStatus,
        Unsent,
        LastSync,
        ReceiptLine,
        Fork,
        Repair,
        Status,
        Progress,
        SyncResult,
        RefusedLine,
        KnownDevice,
        AnnouncedUnsent,
        DeviceSeen,
        Overview,
        SendState,
        ListedHousehold,
        MemberLine,
        Attribution,
        Field,
        CheckLine,
        CheckPage,
        DraftLine,
        Conflict,
        HouseholdPage,
        Event,
    )
}

/// What a page asks and shows while a check is filled in, and the calls.
fn types_of_a_visit() -> String {
    declarations!(
        Val,
        Source,
        Unit,
        form::QuestionType,
        form::Severity,
        form::Offered,
        form::Last,
        form::QuestionText,
        form::Item,
        form::Page,
        form::Progress,
        form::Finding,
        form::View,
        form::QuestionChange,
        form::Changes,
        form::Misfit,
        FormUpdate,
        FormPage,
        RuleAnswer,
        InputLine,
        LeadLine,
        What,
        Said,
        HouseholdQuery,
        MemberSaid,
        Call,
    )
}

#[test]
fn the_app_is_written_against_these_types() {
    let photos = declarations!(PhotoCall, WantedPicture, PhotoLine, PhotoProgress, PhotoResult);
    let head = "// Written from the Rust types of client-core/web; UPDATE_EXPECT=1 writes it anew.\n\n";
    let types = [head, &types_of_the_device(), &types_of_a_visit(), &photos].concat();
    expect_file!["../../app/src/core/types.ts"].assert_eq(&types);
}

mod calls {
    //! A device over a folder of this machine, without a network.

    use std::future::Future;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use ruhu_client_core::{
        Environment, Error, Files, HttpRequest, HttpResponse, SystemFiles, Transport, TransportError,
    };
    use serde_json::{Value, json};

    use crate::{Device, Problem};

    /// A clock that stands still until it is turned, and randomness that is none.
    #[derive(Debug, Clone, Default)]
    struct Still(Arc<AtomicI64>);

    impl Environment for Still {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }

        fn monotonic_ms(&self) -> u64 {
            0
        }

        fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
            bytes.fill(7);
            Ok(())
        }

        fn files(&self) -> Arc<dyn Files> {
            Arc::new(SystemFiles)
        }
    }

    struct NoNetwork;

    impl Transport for NoNetwork {
        fn send(&self, _: HttpRequest) -> impl Future<Output = Result<HttpResponse, TransportError>> {
            std::future::ready(Err(TransportError::Unreachable))
        }
    }

    struct Phone {
        device: Device,
        clock: Still,
        _folder: tempfile::TempDir,
    }

    impl Phone {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let clock = Still::default();
            let made = clock.clone();
            let device = Device::new(folder.path().join("store"), move || Box::new(made.clone()));
            Self { device, clock, _folder: folder }
        }

        fn ask(&mut self, call: &Value) -> Result<Value, Problem> {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let call = serde_json::from_value(call.clone()).unwrap();
            let answer = runtime.block_on(self.device.handle(call, &NoNetwork, &mut |_| {}))?;
            Ok(serde_json::from_str(&answer).unwrap())
        }

        fn refused(&mut self, call: &Value) -> Problem {
            self.ask(call).unwrap_err()
        }

        fn unlock(&mut self, passphrase: &str) -> Result<Value, Problem> {
            self.ask(&json!({ "call": "unlock", "passphrase": passphrase }))
        }
    }

    const RIGHT: &str = "four words of a test";

    #[test]
    fn a_store_is_made_locked_and_opened_again() {
        let mut phone = Phone::new();
        assert_eq!(phone.ask(&json!({ "call": "standing" })).unwrap()["there"], false);
        let short = json!({ "call": "create", "passphrase": "123456789" });
        assert_eq!(phone.refused(&short).code, "passphrase_too_short");
        let made = phone.ask(&json!({ "call": "create", "passphrase": RIGHT })).unwrap();
        assert_eq!(
            (&made["there"], &made["open"], &made["enrolled"]),
            (&json!(true), &json!(true), &json!(false))
        );
        phone.ask(&json!({ "call": "lock" })).unwrap();
        assert_eq!(phone.refused(&json!({ "call": "villages" })).code, "locked");
        assert_eq!(phone.unlock(RIGHT).unwrap()["open"], true);
        assert_eq!(phone.ask(&json!({ "call": "villages" })).unwrap(), json!([]));
    }

    #[test]
    fn the_fourth_wrong_passphrase_locks_and_the_right_one_waits_too() {
        let mut phone = Phone::new();
        phone.ask(&json!({ "call": "create", "passphrase": RIGHT })).unwrap();
        phone.ask(&json!({ "call": "lock" })).unwrap();
        let waits: Vec<_> = (0..4).map(|_| phone.unlock("another passphrase").unwrap_err().wait_ms).collect();
        assert_eq!(waits, [0, 0, 0, 30_000]);
        assert_eq!(phone.unlock(RIGHT).unwrap_err().code, "locked_out");
        phone.clock.0.store(30_000, Ordering::SeqCst);
        assert_eq!(phone.unlock(RIGHT).unwrap()["wrong_tries"], 0);
    }

    #[test]
    fn a_pin_opens_a_session_that_runs_and_no_store() {
        let mut phone = Phone::new();
        let pause = json!({ "call": "pause" });
        let resume = |pin: &str| json!({ "call": "resume", "pin": pin });
        phone.ask(&json!({ "call": "create", "passphrase": RIGHT })).unwrap();
        for wrong in ["12345", "12345a"] {
            let set = json!({ "call": "set_pin", "pin": wrong });
            assert_eq!(phone.refused(&set).code, "pin_too_short");
        }
        phone.ask(&json!({ "call": "set_pin", "pin": "135790" })).unwrap();
        let paused = phone.ask(&pause).unwrap();
        assert_eq!((&paused["open"], &paused["paused"]), (&json!(false), &json!(true)));
        assert_eq!(phone.refused(&json!({ "call": "villages" })).code, "locked");
        assert_eq!(phone.refused(&resume("135791")).code, "wrong_pin");
        assert_eq!(phone.ask(&resume("135790")).unwrap()["open"], true);
        phone.ask(&pause).unwrap();
        assert_eq!(phone.unlock(RIGHT).unwrap()["open"], true, "the passphrase opens it as well");
        phone.ask(&json!({ "call": "lock" })).unwrap();
        assert_eq!(phone.refused(&resume("135790")).code, "locked");
    }

    #[test]
    fn three_wrong_pins_close_the_store_and_the_next_wrong_passphrase_waits() {
        let mut phone = Phone::new();
        phone.ask(&json!({ "call": "create", "passphrase": RIGHT })).unwrap();
        phone.ask(&json!({ "call": "set_pin", "pin": "135790" })).unwrap();
        phone.ask(&json!({ "call": "pause" })).unwrap();
        let wrong = json!({ "call": "resume", "pin": "000000" });
        let codes: Vec<_> = (0..3).map(|_| phone.refused(&wrong).code).collect();
        assert_eq!(codes, ["wrong_pin", "wrong_pin", "pins_used_up"]);
        assert_eq!(phone.refused(&json!({ "call": "resume", "pin": "135790" })).code, "locked");
        assert_eq!(phone.unlock("another passphrase").unwrap_err().wait_ms, 30_000);
        phone.clock.0.store(30_000, Ordering::SeqCst);
        assert_eq!(phone.unlock(RIGHT).unwrap()["has_pin"], true);
    }

    #[test]
    fn the_phones_lock_opens_the_store_and_its_answer_alone_does() {
        let mut phone = Phone::new();
        phone.ask(&json!({ "call": "create", "passphrase": RIGHT })).unwrap();
        let (input, secret) = (STANDARD.encode([9; 32]), STANDARD.encode([5; 32]));
        let set = |passphrase: &str, secret: &str| json!({ "call": "set_phone_lock", "passphrase": passphrase, "credential": "xMTE", "input": input, "secret": secret });
        assert_eq!(phone.refused(&set("another passphrase", &secret)).code, "wrong_passphrase");
        assert_eq!(phone.refused(&set(RIGHT, "BQUF")).code, "argument");
        phone.ask(&set(RIGHT, &secret)).unwrap();
        phone.ask(&json!({ "call": "lock" })).unwrap();
        let shut = phone.ask(&json!({ "call": "standing" })).unwrap();
        assert_eq!(shut["phone_lock"], json!({ "credential": "xMTE", "input": input }));
        let by_phone = |secret: &str| json!({ "call": "unlock_by_phone", "secret": secret });
        assert_eq!(phone.refused(&by_phone(&STANDARD.encode([6; 32]))).code, "phone_lock");
        for _ in 0..4 {
            phone.unlock("another passphrase").unwrap_err();
        }
        let open = phone.ask(&by_phone(&secret)).unwrap();
        assert_eq!((&open["open"], &open["wrong_tries"]), (&json!(true), &json!(0)));
        phone.ask(&json!({ "call": "remove_phone_lock" })).unwrap();
        assert_eq!(phone.ask(&json!({ "call": "standing" })).unwrap()["phone_lock"], Value::Null);
        assert_eq!(phone.refused(&by_phone(&secret)).code, "phone_lock");
        assert_eq!(phone.unlock(RIGHT).unwrap()["open"], true);
    }

    #[test]
    fn without_a_pin_a_pause_closes_the_store() {
        let mut phone = Phone::new();
        phone.ask(&json!({ "call": "create", "passphrase": RIGHT })).unwrap();
        phone.ask(&json!({ "call": "set_pin", "pin": "135790" })).unwrap();
        phone.ask(&json!({ "call": "set_pin", "pin": "" })).unwrap();
        assert_eq!(phone.ask(&json!({ "call": "pause" })).unwrap()["paused"], false);
        assert_eq!(phone.refused(&json!({ "call": "resume", "pin": "" })).code, "locked");
        assert_eq!(phone.unlock(RIGHT).unwrap()["open"], true);
    }

    #[test]
    fn the_choices_of_a_list_are_told_and_no_other_list() {
        let mut phone = Phone::new();
        phone.ask(&json!({ "call": "create", "passphrase": RIGHT })).unwrap();
        let changes = phone.ask(&json!({ "call": "codes", "list": "member_change" })).unwrap();
        assert_eq!(changes[4]["label"]["zh"], "死亡");
        assert_eq!(phone.refused(&json!({ "call": "codes", "list": "nothing" })).code, "argument");
    }

    #[test]
    fn without_a_network_enrolment_says_so_and_work_says_that_it_must_come_first() {
        let mut phone = Phone::new();
        phone.ask(&json!({ "call": "create", "passphrase": RIGHT })).unwrap();
        let code = json!({
            "call": "enrol_by_code", "server": "https://ruhu.example.cn", "code": "k7qd-92mx-4t",
            "device_name": "phone", "words": null,
        });
        assert_eq!(phone.refused(&code).code, "unreachable");
        assert_eq!(phone.refused(&json!({ "call": "sync" })).code, "not_enrolled");
        let link = json!({ "call": "enrol_by_link", "link": "https://x", "device_name": "phone" });
        assert_eq!(phone.refused(&link).code, "invalid_link");
    }

    #[test]
    fn the_place_is_kept_while_the_store_is_locked() {
        let mut phone = Phone::new();
        phone.ask(&json!({ "call": "remember", "place": "/check/1" })).unwrap();
        let long = json!({ "call": "remember", "place": "/".repeat(1_025) });
        assert_eq!(phone.refused(&long).code, "argument");
        assert_eq!(phone.ask(&json!({ "call": "standing" })).unwrap()["place"], "/check/1");
    }

    #[test]
    fn an_id_that_is_none_is_named() {
        let mut phone = Phone::new();
        phone.ask(&json!({ "call": "create", "passphrase": RIGHT })).unwrap();
        let problem = phone.refused(&json!({ "call": "household", "household": "x" }));
        assert_eq!(
            (problem.code.as_str(), problem.detail.as_str()),
            ("argument", "the argument household cannot be read")
        );
    }
}
