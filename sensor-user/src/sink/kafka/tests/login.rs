//! Who lets whom in: SASL and TLS, at a door before the brokers that is made of Python's own `ssl`, `hmac` and `hashlib`.

use std::path::Path;

use super::*;
use crate::sink::syslog::tests::tls::authority::Authority;

fn settings(mechanism: &str, more: &Value) -> Value {
    let mut login = json!({"mechanism": mechanism, "user": "tide=waiter,1", "password": "s3cret = \u{e4}"});
    login.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    json!({"login": login})
}

/// The map's keys for a login, with a password file in `folder`.
fn keys(folder: &Path, mechanism: &str, password: &str) -> String {
    let path = folder.join("password");
    std::fs::write(&path, format!("{password}\n")).unwrap();
    format!("mechanism: {mechanism}, user: \"tide=waiter,1\", password_file: {}", path.display())
}

#[tokio::test]
async fn is_let_in_by_each_mechanism() {
    let folder = tempfile::tempdir().unwrap();
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let Some(brokers) = Brokers::start(2, settings(mechanism, &json!({}))).await else { return };
        let keys = keys(folder.path(), &mechanism.to_lowercase(), "s3cret = \u{e4}");
        let set = start(&[kafka(&format!("{{url: \"{}\", {keys}}}", brokers.url()))]);
        (1..=3).for_each(|number| set.deliver(&numbered(number)));
        assert_eq!(numbers(&brokers.records(3).await), [1, 2, 3], "{mechanism}");
        ends_without_loss(set).await;
    }
}

/// The file is read again each time: a password that is put right needs no restart.
#[tokio::test]
async fn a_wrong_password_is_told_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let Some(brokers) = Brokers::start(1, settings(mechanism, &json!({}))).await else { return };
        let (log, _guard) = Log::start();
        let entry = keys(folder.path(), &mechanism.to_lowercase(), "wr0ng");
        let set = start(&[kafka(&format!("{{url: \"{}\", {entry}}}", brokers.url()))]);
        set.deliver(&numbered(1));
        soon(
            "a word",
            log.holds("it refuses the user tide=waiter,1 with this password (Authentication failed"),
        )
        .await;
        keys(folder.path(), "plain", "s3cret = \u{e4}");
        assert_eq!(numbers(&brokers.records(1).await), [1], "{mechanism}");
        ends_without_loss(set).await;
        assert_eq!((log.count("away"), log.count("wr0ng"), log.count("s3cret")), (1, 0, 0), "{log:?}");
    }
}

#[tokio::test]
async fn what_else_can_be_wrong_with_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let good = "s3cret = \u{e4}";
    for (there, more, here, reason) in [
        (
            "SCRAM-SHA-256",
            json!({}),
            keys(folder.path(), "plain", good),
            "it takes no login by PLAIN, but by SCRAM-SHA-256",
        ),
        (
            "SCRAM-SHA-512",
            json!({"impostor": true}),
            keys(folder.path(), "scram-sha-512", good),
            "it does not know the password of tide=waiter,1 itself",
        ),
        ("PLAIN", json!({}), "format: ecs".to_owned(), "name `user` and `password_file` if it wants a login"),
    ] {
        let Some(brokers) = Brokers::start(1, settings(there, &more)).await else { return };
        let (log, _guard) = Log::start();
        let set = start(&[kafka(&format!("{{url: \"{}\", {here}}}", brokers.url()))]);
        set.deliver(&numbered(1));
        soon("a word", log.holds(reason)).await;
        assert_eq!(set.outstanding()[0].outstanding, 1);
        assert_eq!(brokers.produced().len(), 0, "something was sent");
    }
}

/// Before a login runs out there is another connection; nobody hears of it.
#[tokio::test]
async fn a_login_that_runs_out_is_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let more = settings("SCRAM-SHA-256", &json!({"lifetime": 100}));
    let Some(brokers) = Brokers::start(1, more).await else { return };
    let (log, _guard) = Log::start();
    let keys = keys(folder.path(), "scram-sha-256", "s3cret = \u{e4}");
    let set = start(&[kafka(&format!("{{url: \"{}\", {keys}}}", brokers.url()))]);
    for number in 1..=4 {
        set.deliver(&numbered(number));
        brokers.records(usize::try_from(number).unwrap()).await;
        sleep(Duration::from_millis(90)).await;
    }
    assert_eq!(numbers(&brokers.records(4).await), [1, 2, 3, 4]);
    let connections: std::collections::BTreeSet<_> =
        brokers.produced().iter().map(|batch| batch["connection"].as_u64()).collect();
    assert_eq!(connections.len(), 4, "{connections:?}");
    ends_without_loss(set).await;
    assert_eq!(log.count("away"), 0, "{log:?}");
}

#[tokio::test]
async fn delivers_to_whom_it_can_verify_and_shows_its_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Tests");
    let ca = authority.write(folder.path());
    let (certificate, key) = authority.server("localhost").write(folder.path(), "server");
    let (own, own_key) = authority.client().write(folder.path(), "client");
    for (pair, more) in [
        (json!([certificate, key]), String::new()),
        (
            json!([certificate, key, ca]),
            format!(", certificate: {}, key: {}", own.display(), own_key.display()),
        ),
    ] {
        let Some(brokers) = Brokers::start(2, json!({"tls": pair})).await else { return };
        let set = start(&[kafka(&format!("{{url: \"{}\", ca: {}{more}}}", brokers.url(), ca.display()))]);
        (1..=3).for_each(|number| set.deliver(&numbered(number)));
        assert_eq!(numbers(&brokers.records(3).await), [1, 2, 3]);
        ends_without_loss(set).await;
    }
}

#[tokio::test]
async fn nothing_goes_to_whom_it_cannot_verify() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (Authority::new("Tests"), Authority::new("Others"));
    let ca = authority.write(folder.path());
    let pin = format!(", fingerprint: \"sha256:{}\"", "00".repeat(32));
    for (leaf, asks, more, reason) in [
        (other.server("localhost"), false, "", "signed by nobody who is trusted"),
        (authority.server("elsewhere.invalid"), false, "", "is for another name (elsewhere.invalid)"),
        (authority.server("localhost"), false, pin.as_str(), "is not the pinned one"),
        (
            authority.server("localhost"),
            true,
            "",
            "it wants a certificate of this host: name one with `certificate`",
        ),
    ] {
        let (certificate, key) = leaf.write(folder.path(), "server");
        let pair = if asks { json!([certificate, key, ca]) } else { json!([certificate, key]) };
        let Some(brokers) = Brokers::start(1, json!({"tls": pair})).await else { return };
        let (log, _guard) = Log::start();
        let set = start(&[kafka(&format!("{{url: \"{}\", ca: {}{more}}}", brokers.url(), ca.display()))]);
        set.deliver(&numbered(1));
        soon("a word", log.holds(reason)).await;
        assert_eq!(brokers.produced().len(), 0, "something was sent");
    }
}

/// Each to the other's port: both are told what to write.
#[tokio::test]
async fn tls_on_one_side_only_is_told_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Tests");
    let (certificate, key) = authority.server("localhost").write(folder.path(), "server");
    let Some(secure) = Brokers::start(1, json!({"tls": [certificate, key]})).await else { return };
    let Some(plain) = Brokers::start(1, json!({})).await else { return };
    for (url, reason) in [
        (secure.url().replace("kafkas://", "kafka://"), "kafkas://"),
        (plain.url().replace("kafka://", "kafkas://"), "name its port for TLS"),
    ] {
        let (log, _guard) = Log::start();
        let set = start(&[kafka(&url)]);
        set.deliver(&numbered(1));
        soon("a word", log.holds(reason)).await;
        assert_eq!(set.outstanding()[0].outstanding, 1);
    }
}
