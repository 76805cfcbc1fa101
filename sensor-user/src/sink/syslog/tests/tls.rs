//! Receivers over TLS: who is believed, who is not and what is said of it, and that nothing leaves before.

use std::path::Path;

use super::*;
use crate::sink::tls::Fingerprint;

pub(in crate::sink) mod authority;
mod daemon;
mod receiver;
mod refusal;
mod setting;

use authority::{Authority, Leaf, server, valid};
use receiver::{Came, Manner, Receiver, VERSIONS, speaks};

/// A place for files, and who signs certificates there.
pub(super) struct Site {
    folder: tempfile::TempDir,
    pub(super) authority: Authority,
}

impl Site {
    pub(super) fn new() -> Self {
        Self::of("Tests")
    }

    /// With an authority of this name.
    pub(super) fn of(name: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new(name) }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The receiver as the configuration names it: believed by this site's authority, and what else is said.
    fn target(&self, host: &str, port: u16, more: &str) -> SyslogTarget {
        self.target_over("tls", host, port, more)
    }

    pub(super) fn target_over(&self, scheme: &str, host: &str, port: u16, more: &str) -> SyslogTarget {
        let ca = self.authority.write(self.path());
        target(&format!("{{url: \"{scheme}://{host}:{port}\", ca: \"{}\"{more}}}", ca.display()))
    }

    /// The part of an entry that names a client certificate.
    pub(super) fn identity(&self, leaf: &Leaf) -> String {
        let (certificate, key) = leaf.write(self.path(), "client");
        format!(", certificate: \"{}\", key: \"{}\"", certificate.display(), key.display())
    }
}

fn target(entry: &str) -> SyslogTarget {
    let read: Result<SyslogReceiver, _> = serde_saphyr::from_str(entry);
    read.unwrap_or_else(|error| panic!("{entry}: {error}")).target
}

/// Three messages arrive, in order, and the connection ends as TLS wants it.
async fn delivers(receiver: &Receiver, target: SyslogTarget) {
    let (log, _guard) = Log::start();
    let set = start_at(target);
    for number in 1..=3 {
        set.deliver(&numbered(number));
    }
    let mut stream = soon("a connection", receiver.accept()).await;
    for number in 1..=3 {
        let frame = soon("a frame", read_counted(&mut stream)).await;
        assert!(frame.starts_with("<83>1 "), "{frame}");
        assert_eq!(sequence(&frame), number);
    }
    let closing = tokio::spawn(set.flush(PATIENCE));
    // An end without close_notify would be an error here.
    assert_eq!(soon("the end", stream.read(&mut [0; 1])).await.unwrap(), 0);
    drop(stream);
    assert_eq!(soon("the flush", closing).await.unwrap(), []);
    assert_eq!(log.count("away"), 0, "{log:?}");
}

#[tokio::test]
async fn delivers_to_whom_it_can_verify() {
    let site = Site::new();
    for version in VERSIONS {
        for host in ["localhost", "127.0.0.1"] {
            let receiver = Receiver::start(speaks(&site.authority.server(host), None, &[version])).await;
            delivers(&receiver, site.target(host, receiver.port(), "")).await;
        }
    }
}

#[tokio::test]
async fn delivers_to_the_pinned_certificate() {
    let site = Site::new();
    let leaf = site.authority.server("localhost");
    let receiver = Receiver::start(speaks(&leaf, None, &VERSIONS)).await;
    let pin = format!(", fingerprint: \"{}\"", Fingerprint::of(&leaf.der()));
    delivers(&receiver, site.target("localhost", receiver.port(), &pin)).await;
}

#[tokio::test]
async fn shows_its_own_certificate_to_who_asks() {
    let site = Site::new();
    let clients = Authority::new("Clients");
    for version in VERSIONS {
        let leaf = site.authority.server("localhost");
        let receiver = Receiver::start(speaks(&leaf, Some(&clients), &[version])).await;
        let identity = site.identity(&clients.client());
        delivers(&receiver, site.target("localhost", receiver.port(), &identity)).await;
    }
}

/// As over plain TCP: what the first receiver took and never stored arrives at the second, in order, the same
/// to the byte. The first goes without close_notify.
#[tokio::test]
async fn sends_again_what_a_dead_receiver_may_have_lost() {
    let site = Site::new();
    for version in VERSIONS {
        let receiver = Receiver::start(speaks(&site.authority.server("localhost"), None, &[version])).await;
        let set = start_at(site.target("localhost", receiver.port(), ""));
        set.deliver(&numbered(1));
        let mut first = soon("a connection", receiver.accept()).await;
        let taken = soon("a frame", read_counted(&mut first)).await;
        assert_eq!(sequence(&taken), 1);
        drop(first);
        set.deliver(&numbered(2));
        let mut second = soon("another connection", receiver.accept()).await;
        assert_eq!(soon("a frame", read_counted(&mut second)).await, taken);
        assert_eq!(sequence(&soon("a frame", read_counted(&mut second)).await), 2);
    }
}

/// What a receiver says unasked is read and thrown away: it must not pile up before the next write.
#[tokio::test]
async fn a_receiver_that_talks_is_not_listened_to() {
    use tokio::io::AsyncWriteExt as _;

    let site = Site::new();
    let receiver = Receiver::start(speaks(&site.authority.server("localhost"), None, &VERSIONS)).await;
    let set = start_at(site.target("localhost", receiver.port(), ""));
    let mut stream = soon("a connection", receiver.accept()).await;
    for number in 1..=5 {
        stream.write_all(&[b'x'; 100_000]).await.unwrap();
        stream.flush().await.unwrap();
        set.deliver(&numbered(number));
        assert_eq!(sequence(&soon("a frame", read_counted(&mut stream)).await), number);
    }
}

/// A receiver is often down first and has a wrong certificate then: both are told, each once.
#[tokio::test]
async fn what_is_wrong_is_told_also_of_a_receiver_that_was_away() {
    let site = Site::new();
    let port = free_port().await;
    let (log, _guard) = Log::start();
    let set = start_at(site.target("localhost", port, ""));
    set.deliver(&numbered(1));
    soon("a refusal", log.holds("is away: Connection refused")).await;

    let expired = site.authority.sign(&valid(server("localhost"), 2020, 2021));
    let receiver = Receiver::start_at(speaks(&expired, None, &VERSIONS), port).await;
    let attending = tokio::spawn(async move {
        let Receiver { listener, .. } = receiver;
        // Two attempts, so that saying it twice would be seen.
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            let Manner::Tls(config) = speaks(&expired, None, &VERSIONS) else { unreachable!() };
            assert!(tokio_rustls::TlsAcceptor::from(config).accept(stream).await.is_err());
        }
    });
    soon("two attempts", attending).await.unwrap();

    let receiver =
        Receiver::start_at(speaks(&site.authority.server("localhost"), None, &VERSIONS), port).await;
    let mut stream = soon("a connection", receiver.accept()).await;
    assert_eq!(sequence(&soon("a frame", read_counted(&mut stream)).await), 1);
    soon("the news", log.holds("is back after")).await;
    assert_eq!(log.count("is still away: its certificate has expired at 2021-01-01T00:00:00Z"), 1, "{log:?}");
    assert_eq!((log.count("away"), log.count("is back after")), (2, 1), "{log:?}");
}
