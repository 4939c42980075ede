//! What holds for every route: the contract, identity, limits, the log, health.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::expect_file;
use http_body_util::BodyExt as _;
use ruhu_ledger::certificate::{CertificateKind, SignedCertificate};
use ruhu_ledger::signature::SecretKey;
use ruhu_ledger::verdict::VerdictKind;
use ruhu_survey::photo::PhotoAddress;
use ruhu_survey::role::Role;
use tower::ServiceExt as _;

use super::fixture::{Fixture, LONGTAN_CODE, SHUANGYUN_CODE, config, signed, start_of_check};
use super::{metrics_router, surrounded};
use crate::config::LogFormat;
use crate::enrol::{EnrolmentCode, PROOF_DOMAIN, invite, proof_digest};
use crate::store::photos::Upload;
use crate::store::world::{LONGTAN, MORNING_MS, SHUANGYUN, household, kinds};
use crate::store::{PeopleStore as _, PhotoStore as _};
use crate::telemetry::subscriber;

#[test]
fn the_committed_contract_is_what_the_routes_say() {
    let document = Fixture::new().document.to_pretty_json().unwrap();
    expect_file!["../../../schemas/openapi.json"].assert_eq(&format!("{document}\n"));
}

/// Every reading route: a path for 龙潭河村, and what somebody of another village is told there.
const READS: [(&str, &str, (u16, &str)); 19] = [
    ("/v1/villages", "/v1/villages", (200, "")),
    ("/v1/villages/{village}/households", "/v1/villages/VILLAGE/households", (403, "village_not_granted")),
    ("/v1/villages/{village}/conflicts", "/v1/villages/VILLAGE/conflicts", (403, "village_not_granted")),
    ("/v1/villages/{village}/changes", "/v1/villages/VILLAGE/changes", (403, "village_not_granted")),
    ("/v1/villages/{village}/devices", "/v1/villages/VILLAGE/devices", (403, "village_not_granted")),
    ("/v1/villages/{village}/quarantine", "/v1/villages/VILLAGE/quarantine", (403, "village_not_granted")),
    (
        "/v1/villages/{village}/photos/{photo}",
        "/v1/villages/VILLAGE/photos/PHOTO",
        (403, "village_not_granted"),
    ),
    ("/v1/households/{household}", "/v1/households/HOUSEHOLD", (404, "not_found")),
    ("/v1/households/{household}/checks", "/v1/households/HOUSEHOLD/checks", (404, "not_found")),
    ("/v1/households/{household}/history", "/v1/households/HOUSEHOLD/history", (404, "not_found")),
    ("/v1/checks/{check}", "/v1/checks/CHECK", (404, "not_found")),
    ("/v1/checks/{check}/findings", "/v1/checks/CHECK/findings", (404, "not_found")),
    ("/v1/checks/{check}/history", "/v1/checks/CHECK/history", (404, "not_found")),
    ("/v1/log/checkpoint", "/v1/log/checkpoint", (200, "")),
    ("/v1/log/proof", "/v1/log/proof?leaf=0", (200, "")),
    ("/v1/gaps", "/v1/gaps", (200, "")),
    ("/v1/openapi.json", "/v1/openapi.json", (200, "")),
    ("/healthz", "/healthz", (200, "")),
    ("/readyz", "/readyz", (200, "")),
];

/// Read by the device itself alone: `held_tests` and `photos_tests` say by whom they are not.
const READ_BY_ITS_DEVICE: [&str; 2] =
    ["/v1/sync/held/{request}", "/v1/villages/{village}/photos/{photo}/held"];
/// Reading routes for devices only: `copies_tests.rs` says who is given what there.
const DEVICES_ONLY: [&str; 3] = [
    "/v1/villages/{village}/snapshot",
    "/v1/villages/{village}/snapshot/{id}",
    "/v1/households/{household}/batches",
];

/// 龙潭河村 with a household and a check in it.
async fn village_with_work(fixture: &Fixture) -> [String; 3] {
    let world = fixture.world();
    let mut tablet = world.tablet(60);
    let founded = tablet.found(household(1), "一组");
    let check = ruhu_survey::id::CheckId::from_bytes([2; 16]);
    let id = ruhu_survey::id::HouseholdId::from_bytes([1; 16]).to_string();
    let device = tablet.device().to_string();
    let started = tablet.write(check.into(), &start_of_check(&id, &device));
    let receipt = world.receive(&tablet.seal(&[&founded, &started]));
    assert_eq!(kinds(&receipt), [VerdictKind::Accepted; 2]);
    fixture.state.checkpoint().await.unwrap();
    let photo = Upload { device: tablet.device(), village: LONGTAN, address: PhotoAddress([5; 32]) };
    fixture.state.photos.put(LONGTAN, &photo.address, b"sealed".to_vec()).await.unwrap();
    fixture.store.photo_received(&photo, 6, MORNING_MS).unwrap();
    [LONGTAN.to_string(), id, check.to_string()]
}

fn filled(path: &str, [village, household, check]: &[String; 3]) -> String {
    let path = path.replace("VILLAGE", village).replace("HOUSEHOLD", household).replace("CHECK", check);
    path.replace("PHOTO", &PhotoAddress([5; 32]).to_string())
}

#[tokio::test]
async fn every_route_knows_who_may_read_what() {
    let mut settings = config();
    settings.limits.attempts_per_minute_max = 1_000;
    let fixture = Fixture::with(&settings);
    let own = DEVICES_ONLY.into_iter().chain(READ_BY_ITS_DEVICE);
    let listed: BTreeSet<&str> = READS.iter().map(|(route, ..)| *route).chain(own).collect();
    let paths = &fixture.document.paths.paths;
    let known: BTreeSet<&str> =
        paths.iter().filter(|(_, item)| item.get.is_some()).map(|(path, _)| path.as_str()).collect();
    assert_eq!(listed, known, "the policy table has every route");

    let ids = village_with_work(&fixture).await;
    let right = fixture.token("县督查", Role::Supervisor, &["430821"]);
    let foreign = fixture.token("双云村第一书记", Role::FirstSecretary, &[SHUANGYUN_CODE]);
    let elsewhere = fixture.world().enrol(61, &[SHUANGYUN], CertificateKind::Device);
    for (route, path, (status, code)) in READS {
        let path = filled(path, &ids);
        let open = route.ends_with('z');
        let anonymous = fixture.send(Request::get(&path).body(Body::empty()).unwrap()).await;
        match open {
            true => assert_eq!(anonymous.status, StatusCode::OK, "{route}"),
            false => assert_eq!(anonymous.code(), (401, "identity_missing".to_owned()), "{route}"),
        }
        let wrong = fixture.get(&path, "no such token").await;
        assert_eq!(wrong.status.as_u16(), if open { 200 } else { 401 }, "{route}");
        for stranger in [fixture.get(&path, &foreign).await, fixture.get_as(&path, &elsewhere).await] {
            let oversight =
                stranger.status == StatusCode::FORBIDDEN && stranger.code().1 == "role_may_not_read";
            if !oversight {
                assert_eq!(stranger.status.as_u16(), status, "{route} {stranger:?}");
            }
            if stranger.status != StatusCode::OK {
                assert!(oversight || stranger.code().1 == code, "{route} {stranger:?}");
                assert!(!String::from_utf8_lossy(&stranger.body).contains("一组"));
            }
        }
        let entitled = fixture.get(&path, &right).await;
        assert_eq!(entitled.status, StatusCode::OK, "{route} {entitled:?}");
    }
}

#[tokio::test]
async fn those_who_do_the_work_do_not_read_what_oversees_it() {
    let fixture = Fixture::new();
    let ids = village_with_work(&fixture).await;
    let member = fixture.token("队员", Role::WorkTeam, &[LONGTAN_CODE]);
    for path in ["/v1/villages/VILLAGE/devices", "/v1/villages/VILLAGE/quarantine", "/v1/gaps"] {
        let answer = fixture.get(&filled(path, &ids), &member).await;
        assert_eq!(answer.code(), (403, "role_may_not_read".to_owned()));
    }
    let answer = fixture.get(&filled("/v1/villages/VILLAGE/households", &ids), &member).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_village_that_does_not_exist_is_answered_as_one_that_is_not_granted() {
    let fixture = Fixture::new();
    let token = fixture.supervisor();
    let nowhere = ruhu_survey::id::VillageId::from_bytes([0x77; 16]);
    let answer = fixture.get(&format!("/v1/villages/{nowhere}/households"), &token).await;
    assert_eq!(answer.code(), (403, "village_not_granted".to_owned()));
}

#[tokio::test]
async fn a_withdrawn_token_and_a_revoked_device_read_nothing() {
    let fixture = Fixture::new();
    let token = fixture.supervisor();
    assert_eq!(fixture.get("/v1/villages", &token).await.status, StatusCode::OK);
    let user = fixture.store.users().unwrap().remove(0);
    fixture.store.tokens_revoke(user.id, 1).unwrap();
    assert_eq!(fixture.get("/v1/villages", &token).await.code(), (401, "token_unknown".to_owned()));
    let tablet = fixture.world().tablet(10);
    assert_eq!(fixture.get_as("/v1/villages", &tablet).await.status, StatusCode::OK);
    fixture.world().revoke(tablet.device());
    assert_eq!(fixture.get_as("/v1/villages", &tablet).await.code(), (403, "device_revoked".to_owned()));
}

#[tokio::test]
async fn a_signed_read_holds_for_its_path_and_nonce_only() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let nonce = fixture.nonce();
    let signed = super::fixture::signed("GET", "/v1/villages", &nonce, &tablet, &[]);
    let moved = signed.uri("/v1/villages?limit=1").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(moved).await.code(), (401, "signature_invalid".to_owned()));
    let again = super::fixture::signed("GET", "/v1/villages", &nonce, &tablet, &[]);
    assert_eq!(
        fixture.send(again.body(Body::empty()).unwrap()).await.code(),
        (401, "nonce_unknown".to_owned())
    );
    let broken = Request::get("/v1/villages").header("ruhu-device", "x").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(broken).await.code(), (401, "signature_invalid".to_owned()));
}

#[tokio::test]
async fn guessing_is_slowed_down_and_does_not_slow_others() {
    let mut settings = config();
    settings.limits.attempts_per_minute_max = 3;
    let fixture = Fixture::with(&settings);
    let token = fixture.supervisor();
    for _ in 0..3 {
        assert_eq!(fixture.get("/v1/villages", "guess").await.code().0, 401);
    }
    assert_eq!(fixture.get("/v1/villages", "guess").await.code(), (429, "rate_limited".to_owned()));
    assert_eq!(fixture.get("/v1/villages", &token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_without_repeating_it() {
    let fixture = Fixture::new();
    let token = fixture.supervisor();
    let village = LONGTAN.to_string();
    for path in [
        "/v1/villages/%E5%BC%A0%E7%A7%80%E8%8B%B1/households".to_owned(),
        format!("/v1/villages/{village}/households?limit=501"),
        format!("/v1/villages/{village}/households?limit=0"),
        format!("/v1/villages/{village}/households?limit=many"),
        format!("/v1/villages/{village}/households?serach=%E5%BC%A0"),
        format!("/v1/villages/{village}/households?after=%E5%BC%A0"),
        format!("/v1/villages/{village}/households?search={}", "a".repeat(201)),
        format!("/v1/villages/{village}/changes?since=-1"),
        "/v1/log/proof".to_owned(),
        "/v1/log/proof?leaf=0&from=0".to_owned(),
    ] {
        let answer = fixture.get(&path, &token).await;
        assert_eq!(answer.code(), (400, "parameter_invalid".to_owned()), "{path}");
        assert!(!answer.json()["detail"].as_str().unwrap().contains('张'));
    }
    let unknown = Request::get("/v1/everything").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(unknown).await.code(), (404, "route_unknown".to_owned()));
    let method = Request::delete("/v1/villages").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(method).await.code(), (405, "method_not_allowed".to_owned()));
}

#[tokio::test]
async fn a_nonce_is_given_and_every_answer_brings_the_next() {
    let fixture = Fixture::new();
    let answer = fixture.send(Request::post("/v1/nonces").body(Body::empty()).unwrap()).await;
    let nonce = answer.json()["nonce"].as_str().unwrap().to_owned();
    assert_eq!(answer.headers["ruhu-nonce"], nonce.as_str());
    assert!(fixture.state.nonces.redeem(&nonce, crate::store::world::MORNING_MS));
    let token = fixture.supervisor();
    let answer = fixture.get("/v1/villages", &token).await;
    assert!(answer.headers.contains_key("ruhu-nonce"));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let health = fixture.send(Request::get("/healthz").body(Body::empty()).unwrap()).await;
    assert!(!health.headers.contains_key("ruhu-nonce"));
}

#[tokio::test]
async fn the_answer_to_a_signed_request_names_it_whatever_it_says() {
    let fixture = Fixture::new();
    let tablet = fixture.world().tablet(10);
    let ask = |nonce: String, path: &'static str| {
        let request = signed("GET", path, &nonce, &tablet, &[]).body(Body::empty()).unwrap();
        let signature = request.headers()["ruhu-signature"].to_str().unwrap().to_owned();
        (fixture.send(request), signature)
    };
    for (nonce, path, status) in [
        (fixture.nonce(), "/v1/villages", 200),
        ("used-up".to_owned(), "/v1/villages", 401),
        (fixture.nonce(), "/v1/nowhere", 404),
    ] {
        let (answer, signature) = ask(nonce, path);
        let answer = answer.await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.headers["ruhu-answers"], signature[..12], "{path}");
    }
    let unsigned = fixture.get("/v1/villages", &fixture.supervisor()).await;
    assert!(!unsigned.headers.contains_key("ruhu-answers"));
}

fn enrolment(code: &EnrolmentCode, key: &SecretKey, name: &str) -> serde_json::Value {
    let proof = key.sign(PROOF_DOMAIN, &proof_digest(code, &key.public(), name));
    serde_json::json!({
        "code": code.to_string(),
        "public_key": URL_SAFE_NO_PAD.encode(key.public().0),
        "device_name": name,
        "proof": URL_SAFE_NO_PAD.encode(proof.0),
    })
}

fn post_enrolment(body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/v1/enrolments").header("content-type", "application/json");
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn a_device_enrols_and_may_then_ask() {
    let fixture = Fixture::new();
    fixture.token("石秀英", Role::FirstSecretary, &[LONGTAN_CODE]);
    let user = fixture.store.users().unwrap().remove(0);
    let code = invite(fixture.store.as_ref(), fixture.clock.as_ref(), &user, 60_000).unwrap();
    let key = SecretKey::from_seed([42; 32]);
    let asked = enrolment(&code, &key, "tablet 3");
    let answer = fixture.send(post_enrolment(asked.to_string())).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let granted = answer.json();
    assert_eq!(granted["villages"][0]["code"], LONGTAN_CODE);
    assert_eq!(granted["villages"][0]["search_key"], URL_SAFE_NO_PAD.encode([5; 32]));
    assert_eq!(granted["user"]["role"], "first_secretary");
    assert_eq!(granted["server_key"], URL_SAFE_NO_PAD.encode(fixture.keys.signing.public().0));
    let certificate = URL_SAFE_NO_PAD.decode(granted["certificate"].as_str().unwrap()).unwrap();
    let certificate = SignedCertificate::from_bytes(&certificate).unwrap();
    certificate.verify(&fixture.keys.signing.public()).unwrap();
    // A lost answer costs nothing: the same device asks again.
    assert_eq!(
        fixture.send(post_enrolment(asked.to_string())).await.json()["certificate"],
        granted["certificate"]
    );
    let mut tablet = fixture.world().tablet(43);
    tablet.key = key;
    assert_eq!(fixture.get_as("/v1/villages", &tablet).await.json()["villages"][0]["name"], "龙潭河村");
}

#[tokio::test]
async fn an_enrolment_that_is_refused_says_why() {
    let mut settings = config();
    settings.limits.attempts_per_minute_max = 100;
    let fixture = Fixture::with(&settings);
    fixture.token("石秀英", Role::FirstSecretary, &[LONGTAN_CODE]);
    let user = fixture.store.users().unwrap().remove(0);
    let code = invite(fixture.store.as_ref(), fixture.clock.as_ref(), &user, 60_000).unwrap();
    let (key, other) = (SecretKey::from_seed([42; 32]), SecretKey::from_seed([44; 32]));
    let unknown = enrolment(&EnrolmentCode::from_random([7; 8]), &key, "tablet 3");
    let mut proofless = enrolment(&code, &key, "tablet 3");
    proofless["device_name"] = "tablet 4".into();
    let mut keyless = enrolment(&code, &key, "tablet 3");
    keyless["public_key"] = "short".into();
    for (asked, expected) in [
        (unknown, (404, "enrolment_code_unknown")),
        (proofless, (400, "enrolment_proof_invalid")),
        (keyless, (400, "enrolment_key_invalid")),
        (enrolment(&code, &key, " "), (400, "enrolment_name_invalid")),
        (serde_json::json!({ "code": "张秀英" }), (400, "body_malformed")),
    ] {
        let answer = fixture.send(post_enrolment(asked.to_string())).await;
        let (status, code) = answer.code();
        assert_eq!((status, code.as_str()), expected);
        assert!(!String::from_utf8_lossy(&answer.body).contains("张秀英"));
    }
    let first = fixture.send(post_enrolment(enrolment(&code, &key, "tablet 3").to_string())).await;
    assert_eq!(first.status, StatusCode::OK);
    let used = fixture.send(post_enrolment(enrolment(&code, &other, "tablet 3").to_string())).await;
    assert_eq!(used.code(), (410, "enrolment_code_used".to_owned()));
    let late = invite(fixture.store.as_ref(), fixture.clock.as_ref(), &user, 60_000).unwrap();
    fixture.clock.forward(60_001);
    let expired = fixture.send(post_enrolment(enrolment(&late, &other, "tablet 3").to_string())).await;
    assert_eq!(expired.code(), (410, "enrolment_code_expired".to_owned()));
    let large = fixture.send(post_enrolment(vec![b' '; 16 * 1024 + 1])).await;
    assert_eq!(large.code(), (413, "body_too_large".to_owned()));
}

#[tokio::test]
async fn codes_cannot_be_guessed_in_a_row() {
    let fixture = Fixture::new();
    let key = SecretKey::from_seed([42; 32]);
    let guess = enrolment(&EnrolmentCode::from_random([7; 8]), &key, "tablet 3").to_string();
    for _ in 0..10 {
        assert_eq!(fixture.send(post_enrolment(guess.clone())).await.code().0, 404);
    }
    let answer = fixture.send(post_enrolment(guess)).await;
    assert_eq!(answer.code(), (429, "rate_limited".to_owned()));
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_panic_in_a_handler_is_an_answer() {
    async fn panics() -> &'static str {
        panic!("a handler meets what it did not expect")
    }
    let fixture = Fixture::new();
    let router = surrounded(Router::new().route("/v1/panics", get(panics)), fixture.state.clone());
    let request = Request::get("/v1/panics").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains(r#""code":"server_failed""#));
    assert!(!String::from_utf8_lossy(&body).contains("expect"));
}

#[tokio::test]
async fn a_busy_server_says_so_and_is_healthy_all_the_same() {
    let fixture = Fixture::new();
    let token = fixture.supervisor();
    let most = u32::try_from(crate::limits::REQUESTS_AT_ONCE_MAX).unwrap();
    let all = fixture.state.room.clone().acquire_many_owned(most).await.unwrap();
    assert_eq!(fixture.get("/v1/villages", &token).await.code(), (503, "server_busy".to_owned()));
    let health = fixture.send(Request::get("/healthz").body(Body::empty()).unwrap()).await;
    assert_eq!(health.status, StatusCode::OK);
    drop(all);
    assert_eq!(fixture.get("/v1/villages", &token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_metrics_tell_routes_by_their_templates() {
    let fixture = Fixture::new();
    let token = fixture.supervisor();
    fixture.get(&format!("/v1/villages/{LONGTAN}/households?search=%E5%BC%A0"), &token).await;
    fixture.state.checkpoint().await.unwrap();
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = metrics_router(fixture.state.clone()).oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    let line =
        r#"ruhu_http_requests_total{method="GET",route="/v1/villages/{village}/households",status="200"} 1"#;
    assert!(text.contains(line), "{text}");
    assert!(text.contains("ruhu_log_leaves 2"), "{text}");
    assert!(!text.contains(&LONGTAN.to_string()));
}

#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_holds_ids_and_templates_and_no_names() {
    // With a single log in the process, other tests' threads, which have none, would turn events off.
    let _second = tracing::Dispatch::new(subscriber(LogFormat::Text, None, std::io::sink));
    for format in [LogFormat::Text, LogFormat::Json] {
        let lines = Lines::default();
        let written = lines.clone();
        let log = subscriber(format, Some("trace"), move || written.clone());
        let _guard = tracing::subscriber::set_default(log);
        let fixture = Fixture::new();
        let (token, tablet) = (fixture.supervisor(), fixture.world().tablet(10));
        let path =
            format!("/v1/villages/{LONGTAN}/households?search=%E5%BC%A0%E7%A7%80%E8%8B%B1&group=Zhang");
        fixture.get(&path, &token).await;
        fixture.get_as(&path, &tablet).await;
        fixture.get("/v1/villages/%E5%BC%A0%E7%A7%80%E8%8B%B1/households?search=Zhang", &token).await;
        fixture.send(post_enrolment(r#"{"code":"Zhang","device_name":"张秀英"}"#)).await;
        tracing::debug!(target: "hyper::proto::h1", "GET /v1/villages?search=Zhang");
        tracing::trace!(target: "h2::codec", "search=Zhang");
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("/v1/villages/{village}/households"), "{text}");
        assert!(text.contains(&tablet.device().to_string()), "{text}");
        for personal in ["张秀英", "%E5%BC%A0", "Zhang", token.as_str(), "督查组"] {
            assert!(!text.contains(personal), "{personal} is in\n{text}");
        }
    }
}
