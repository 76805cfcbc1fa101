//! Over TLS the rules are those of syslog, whose tests go through every fault; here is that they hold for this transport.

use super::*;
use crate::sink::syslog::tests::tls::authority::{Authority, server, valid};

#[tokio::test]
async fn delivers_to_whom_it_can_verify_and_shows_its_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Tests");
    let ca = authority.write(folder.path());
    let (certificate, key) = authority.server("localhost").write(folder.path(), "server");
    let (own, own_key) = authority.client().write(folder.path(), "client");
    let verify = format!("ssl_verify_client on; ssl_client_certificate {};", ca.display());
    for (settings, more) in [
        (String::new(), String::new()),
        (verify, format!(", certificate: {}, key: {}", own.display(), own_key.display())),
    ] {
        let started = Nginx::start_tls(free_port().await, &certificate, &key, &settings).await;
        let Some(nginx) = started else { return };
        let set = start(&[webhook(&format!("{{url: \"{}\", ca: {}{more}}}", nginx.url("/"), ca.display()))]);
        (1..=3).for_each(|number| set.deliver(&numbered(number)));
        assert_eq!(numbers(&nginx.requests(3).await), [1, 2, 3]);
        assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    }
}

#[tokio::test]
async fn nothing_goes_to_whom_it_cannot_verify() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (Authority::new("Tests"), Authority::new("Others"));
    let ca = authority.write(folder.path());
    let pin = format!(", fingerprint: \"sha256:{}\"", "00".repeat(32));
    for (leaf, more, reason) in [
        (other.server("localhost"), "", "signed by nobody who is trusted"),
        (authority.server("elsewhere.invalid"), "", "is for another name (elsewhere.invalid)"),
        (authority.sign(&valid(server("localhost"), 2020, 2021)), "", "has expired at 2021-01-01T00:00:00Z"),
        (authority.server("localhost"), pin.as_str(), "is not the pinned one"),
    ] {
        let (certificate, key) = leaf.write(folder.path(), "server");
        let Some(nginx) = Nginx::start_tls(free_port().await, &certificate, &key, "").await else { return };
        let (log, _guard) = Log::start();
        let set = start(&[webhook(&format!("{{url: \"{}\", ca: {}{more}}}", nginx.url("/"), ca.display()))]);
        set.deliver(&numbered(1));
        soon("a word", log.holds(reason)).await;
        let left = soon("the flush", set.flush(Duration::from_millis(300))).await;
        assert_eq!(left.iter().map(|loss| loss.count).sum::<u64>(), 1, "{left:?}");
        assert_eq!(nginx.so_far().len(), 0, "something was sent");
    }
}

/// nginx takes the handshake and answers 400 then, which says nothing of the message.
#[tokio::test]
async fn a_certificate_that_is_missing_costs_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Tests");
    let ca = authority.write(folder.path());
    let (certificate, key) = authority.server("localhost").write(folder.path(), "server");
    let verify = format!("ssl_verify_client on; ssl_client_certificate {};", ca.display());
    let port = free_port().await;
    let Some(nginx) = Nginx::start_tls(port, &certificate, &key, &verify).await else { return };
    let (log, _guard) = Log::start();
    let set = start(&[webhook(&format!("{{url: \"{}\", ca: {}}}", nginx.url("/"), ca.display()))]);
    set.deliver(&numbered(1));
    soon("a word", log.holds("it wants a certificate of this host: name one with `certificate`")).await;
    drop(nginx);
    let Some(nginx) = Nginx::start_tls(port, &certificate, &key, "").await else { return };
    assert_eq!(numbers(&nginx.requests(1).await), [1]);
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
}

#[tokio::test]
async fn plaintext_is_told_as_that_and_gets_nothing() {
    let Some(nginx) = Nginx::start(free_port().await, "").await else { return };
    let (log, _guard) = Log::start();
    let set = start(&[webhook(&nginx.url("/").replace("http://", "https://"))]);
    set.deliver(&numbered(1));
    soon("a word", log.holds("it answers in plaintext, not TLS")).await;
    assert_eq!(set.outstanding()[0].outstanding, 1);
}
