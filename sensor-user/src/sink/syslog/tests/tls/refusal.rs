//! Receivers that are not believed: each is told with its reason, gets not one byte of a message, in the clear or
//! encrypted, and the message waits.

use super::*;
use crate::sink::encode::encode;

/// Long enough for another attempt, which may leave no more behind than the first.
const SHORTLY: Duration = Duration::from_millis(600);

/// Delivers to a receiver that must not get it.
async fn refuses(manner: Manner, to: impl FnOnce(u16) -> SyslogTarget, reason: &str) {
    let receiver = Receiver::start(manner).await;
    let target = to(receiver.port());
    let frame =
        frame::encode(&encode(&numbered(1), &sample::origin()), &target, Facility::default(), Form::Ecs);
    let came: Came = receiver.attend();
    let (log, _guard) = Log::start();
    let set = start_at(target);
    set.deliver(&numbered(1));
    soon(reason, log.holds(reason)).await;
    sleep(SHORTLY).await;

    assert_eq!(log.count("away"), 1, "told once: {log:?}");
    assert_eq!(log.count("is back"), 0, "{log:?}");
    let losses = soon("the flush", set.flush(Duration::from_millis(50))).await;
    assert_eq!((losses[0].count, losses[0].reason), (1, "unconfirmed when the agent ended"), "{reason}");
    assert!(came.data.lock().unwrap().is_empty(), "{reason}");
    for raw in came.raw.lock().unwrap().iter() {
        // Encrypted it could not be found in there, but would be longer than this.
        assert!(raw.len() < frame.len(), "{reason}: {} of {} bytes", raw.len(), frame.len());
        assert!(!raw.windows(10).any(|bytes| bytes == b"tidewaiter"), "{reason}");
    }
}

/// The same with a certificate, for the name `localhost`, in both versions.
async fn refuses_certificate(site: &Site, leaf: &Leaf, more: &str, reason: &str) {
    for version in VERSIONS {
        refuses(speaks(leaf, None, &[version]), |port| site.target("localhost", port, more), reason).await;
    }
}

#[tokio::test]
async fn an_authority_that_is_not_trusted() {
    let site = Site::new();
    let leaf = Authority::new("Others").server("localhost");
    refuses_certificate(&site, &leaf, "", "its certificate is signed by nobody who is trusted").await;
}

/// The command line names no authority, so the system's are asked.
#[tokio::test]
async fn an_authority_that_the_system_does_not_know() {
    let word = |port| format!("tls://localhost:{port}").parse::<SyslogTarget>().unwrap();
    if let Err(error) = word(1).prepare() {
        println!("not checked with the system's authorities: {error}");
        return;
    }
    let leaf = Authority::new("Others").server("localhost");
    refuses(speaks(&leaf, None, &VERSIONS), word, "its certificate is signed by nobody who is trusted").await;
}

/// An authority of the same name that has another key.
#[tokio::test]
async fn an_authority_that_another_poses_as() {
    let site = Site::new();
    let leaf = Authority::new("Tests").server("localhost");
    refuses_certificate(&site, &leaf, "", "is not of the key it should be").await;
}

#[tokio::test]
async fn a_certificate_that_vouches_for_itself() {
    let site = Site::new();
    let leaf = Leaf::self_signed(&server("localhost"));
    refuses_certificate(&site, &leaf, "", "its certificate is signed by nobody who is trusted").await;
}

#[tokio::test]
async fn another_name() {
    let site = Site::new();
    let leaf = site.authority.server("other.example");
    let reason = "its certificate is for another name (other.example), not for localhost";
    refuses_certificate(&site, &leaf, "", reason).await;
    // The host's address stands in no certificate that is for its name.
    let leaf = site.authority.server("localhost");
    let reason = "its certificate is for another name (localhost), not for 127.0.0.1";
    refuses(speaks(&leaf, None, &VERSIONS), |port| site.target("127.0.0.1", port, ""), reason).await;
}

/// What ends at the NUL for a program in C is one name, and another one.
#[tokio::test]
async fn a_name_that_goes_on_behind_a_nul() {
    let site = Site::new();
    let leaf = site.authority.server("localhost\0.evil");
    let reason = r"its certificate is for another name (localhost\x00.evil), not for localhost";
    refuses_certificate(&site, &leaf, "", reason).await;
}

#[tokio::test]
async fn a_common_name_alone() {
    let site = Site::new();
    let mut params = server("localhost");
    params.subject_alt_names.clear();
    params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
    let reason = "its certificate is for another name (it has none), not for localhost";
    refuses_certificate(&site, &site.authority.sign(&params), "", reason).await;
}

#[tokio::test]
async fn a_certificate_out_of_its_time() {
    let site = Site::new();
    let expired = site.authority.sign(&valid(server("localhost"), 2020, 2021));
    let reason = "its certificate has expired at 2021-01-01T00:00:00Z";
    refuses_certificate(&site, &expired, "", reason).await;
    let early = site.authority.sign(&valid(server("localhost"), 2999, 3000));
    let reason = "its certificate is not valid yet, but from 2999-01-01T00:00:00Z";
    refuses_certificate(&site, &early, "", reason).await;
}

#[tokio::test]
async fn a_certificate_for_something_else() {
    let site = Site::new();
    let mut params = server("localhost");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    refuses_certificate(&site, &site.authority.sign(&params), "", "is not one for servers").await;
    let mut params = server("localhost");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    refuses_certificate(&site, &site.authority.sign(&params), "", "is an authority's own").await;
}

/// The pin is asked for on top of all else: it makes nothing good that is not.
#[tokio::test]
async fn a_certificate_that_is_not_pinned() {
    let site = Site::new();
    let (leaf, other) = (site.authority.server("localhost"), site.authority.server("localhost"));
    let pin = |leaf: &Leaf| format!(", fingerprint: \"{}\"", Fingerprint::of(&leaf.der()));
    let reason = format!("its certificate is not the pinned one but {}", Fingerprint::of(&leaf.der()));
    refuses_certificate(&site, &leaf, &pin(&other), &reason).await;
    let expired = site.authority.sign(&valid(server("localhost"), 2020, 2021));
    refuses_certificate(&site, &expired, &pin(&expired), "its certificate has expired").await;
    let stranger = Leaf::self_signed(&server("localhost"));
    refuses_certificate(&site, &stranger, &pin(&stranger), "signed by nobody who is trusted").await;
}

/// In TLS 1.3 the handshake is over for this host before the receiver looks at its certificate.
#[tokio::test]
async fn a_receiver_that_wants_a_certificate() {
    let site = Site::new();
    let clients = Authority::new("Clients");
    let leaf = site.authority.server("localhost");
    let stranger = site.identity(&Authority::new("Clients of others").client());
    for version in VERSIONS {
        let manner = speaks(&leaf, Some(&clients), &[version]);
        let reason = "it wants a certificate of this host";
        refuses(manner.clone(), |port| site.target("localhost", port, ""), reason).await;
        let reason = "it refuses the certificate of this host (UnknownCA)";
        refuses(manner, |port| site.target("localhost", port, &stranger), reason).await;
    }
}

/// A refusal that takes longer than it is waited for finds the message on its way, encrypted. Nobody read it, so it
/// is still to be delivered.
#[tokio::test]
async fn a_refusal_that_comes_late() {
    let site = Site::new();
    let leaf = site.authority.server("localhost");
    let Manner::Tls(config) = speaks(&leaf, Some(&Authority::new("Clients")), &VERSIONS) else {
        unreachable!()
    };
    let receiver = Receiver::start(Manner::Late(config, Duration::from_millis(900))).await;
    let target = site.target("localhost", receiver.port(), "");
    let came = receiver.attend();
    let (log, _guard) = Log::start();
    let set = start_at(target);
    set.deliver(&numbered(1));
    soon("a refusal", log.holds("is away: it wants a certificate of this host")).await;
    assert!(came.raw.lock().unwrap()[0].len() > 1_000, "the message was on its way");
    assert!(came.data.lock().unwrap().is_empty(), "and nobody read it");
    let losses = soon("the flush", set.flush(Duration::from_millis(50))).await;
    assert_eq!((losses[0].count, losses[0].reason), (1, "unconfirmed when the agent ended"));
}

/// ServerHello of TLS 1.0 (RFC 2246 section 7.4.1.3) in a record of that version: a random, no session,
/// TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
const HELLO_TLS10: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
    0123456789abcdef0123456789abcdef\x00\x00\x2f\x00";

/// Fatal alert protocol_version (RFC 5246 section 7.2), in a record of TLS 1.1.
const ALERT_VERSION: &[u8] = b"\x15\x03\x02\x00\x02\x02\x46";

#[tokio::test]
async fn a_receiver_of_yesterday() {
    let site = Site::new();
    for bytes in [HELLO_TLS10, ALERT_VERSION] {
        let reason = "it speaks no TLS 1.2 or newer";
        refuses(Manner::Bytes(bytes), |port| site.target("localhost", port, ""), reason).await;
    }
}

#[tokio::test]
async fn a_receiver_in_the_clear() {
    let site = Site::new();
    for (manner, reason) in [
        (Manner::Bytes(b"220 loghost ready\r\n"), "it answers in plaintext, not TLS"),
        (Manner::Bytes(b"HTTP/1.0 400 Bad Request\r\n\r\n"), "it answers in plaintext, not TLS"),
        // A syslog daemon says nothing.
        (Manner::Bytes(b""), "it answers no TLS handshake"),
        (Manner::Close, "it closed the connection in the handshake"),
    ] {
        refuses(manner, |port| site.target("localhost", port, ""), reason).await;
    }
}
