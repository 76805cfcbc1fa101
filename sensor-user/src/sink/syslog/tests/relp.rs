//! RELP against a real rsyslogd (Debian: rsyslog-relp) that is killed and stopped, and against receivers that only seem to
//! speak it.

use std::path::Path;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::rsyslog::{Rsyslogd, check_at};
use super::tls::Site;
use super::*;

/// imrelp's libraries for TLS.
const LIBRARIES: [&str; 2] = ["gnutls", "openssl"];

/// The messages of a test that kills its receiver among them.
const MESSAGES: u64 = 3_000;

/// A daemon on this port. It writes a message to its file before it acknowledges it.
async fn start_daemon(port: u16, module: &str, input: &str) -> Option<Rsyslogd> {
    let file = format!("/usr/lib/{}-linux-gnu/rsyslog/imrelp.so", std::env::consts::ARCH);
    if !Path::new(&file).exists() {
        println!("not checked against rsyslogd with RELP: {file} is not installed");
        return None;
    }
    let rsyslogd = Rsyslogd::start(|_| {
        format!(
            "main_queue(queue.type=\"Direct\")\n\
             module(load=\"imrelp\" ruleset=\"file\" {module})\n\
             input(type=\"imrelp\" address=\"127.0.0.1\" port=\"{port}\" {input})"
        )
    })?;
    soon("a receiver", async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    Some(rsyslogd)
}

async fn start_with_tls(site: &Site, port: u16, library: &str, more: &str) -> Option<Rsyslogd> {
    let (certificate, key) = site.authority.server("localhost").write(site.path(), "server");
    let input = format!(
        "tls=\"on\" tls.myCert=\"{}\" tls.myPrivKey=\"{}\" {more}",
        certificate.display(),
        key.display()
    );
    start_daemon(port, &format!("tls.tlslib=\"{library}\""), &input).await
}

/// Numbers of all messages in its file, in the order in which they were written; half a line is none.
fn written(rsyslogd: &Rsyslogd) -> Vec<u64> {
    let text = std::fs::read_to_string(rsyslogd.out()).unwrap_or_default();
    let number = |line: &str| line.split_once(" seq=\"")?.1.split_once('"')?.0.parse().ok();
    // What it was killed in the middle of writing runs into the next one.
    let messages = text.lines().filter_map(|line| line.rsplit("tidewaiter[77]|").next());
    messages.filter(|message| message.ends_with('}')).map(|message| number(message).expect(message)).collect()
}

async fn has_all(rsyslogd: &Rsyslogd, last: u64) {
    let count = usize::try_from(last).unwrap();
    let has_all = async {
        while written(rsyslogd).into_iter().collect::<BTreeSet<_>>().len() < count {
            sleep(Duration::from_millis(20)).await;
        }
    };
    soon("every message", has_all).await;
}

#[tokio::test]
async fn rsyslogd_understands_relp() {
    let port = free_port().await;
    let Some(rsyslogd) = start_daemon(port, "", "").await else { return };
    check_at(&rsyslogd, format!("relp://127.0.0.1:{port}").parse().unwrap(), true).await;
}

#[tokio::test]
async fn rsyslogd_understands_relp_over_tls() {
    let (site, port) = (Site::new(), free_port().await);
    // With GnuTLS it takes nobody who has no certificate.
    let Some(rsyslogd) = start_with_tls(&site, port, "openssl", "").await else { return };
    check_at(&rsyslogd, site.target_over("relps", "localhost", port, ""), true).await;
}

/// Whatever is done to the daemon, what was acknowledged is in its file, and what was not comes again.
#[tokio::test]
async fn nothing_is_missing_when_rsyslogd_is_killed_and_stopped() {
    let port = free_port().await;
    let Some(mut rsyslogd) = start_daemon(port, "", "").await else { return };
    let set = start(&format!("relp://127.0.0.1:{port}"));
    for number in 1..=MESSAGES {
        set.deliver(&numbered(number));
        match number % 1000 {
            300 => rsyslogd.start_again(),
            600 => rsyslogd.signal(Signal::STOP),
            // Dead while it stood still.
            800 => rsyslogd.start_again(),
            // What is given too fast is lost before it comes to the sink.
            0 | 500 => has_all(&rsyslogd, number - 400).await,
            _ => {}
        }
    }
    has_all(&rsyslogd, MESSAGES).await;
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    let seen: BTreeSet<_> = written(&rsyslogd).into_iter().collect();
    assert_eq!(seen, (1..=MESSAGES).collect());
}

/// Stopped and let go on: nothing is sent twice, since nothing broke.
#[tokio::test]
async fn a_receiver_that_stands_still_is_waited_for() {
    let port = free_port().await;
    let Some(rsyslogd) = start_daemon(port, "", "").await else { return };
    let (log, _guard) = Log::start();
    let set = start(&format!("relp://127.0.0.1:{port}"));
    set.deliver(&numbered(1));
    has_all(&rsyslogd, 1).await;
    rsyslogd.signal(Signal::STOP);
    let away = log.count("is away");
    for number in 2..=500 {
        set.deliver(&numbered(number));
    }
    while set.outstanding()[0].outstanding < 499 {
        sleep(Duration::from_millis(5)).await;
    }
    rsyslogd.signal(Signal::CONT);
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    assert_eq!(written(&rsyslogd), (1..=500).collect::<Vec<_>>());
    assert_eq!(log.count("is away"), away, "{log:?}");
}

/// The end of a daemon in order, which it announces: it is away then, and what comes meanwhile waits.
#[tokio::test]
async fn a_daemon_that_ends_is_away() {
    let port = free_port().await;
    let Some(mut rsyslogd) = start_daemon(port, "", "").await else { return };
    let (log, _guard) = Log::start();
    let set = start(&format!("relp://127.0.0.1:{port}"));
    set.deliver(&numbered(1));
    has_all(&rsyslogd, 1).await;
    let before = log.count("is away");
    rsyslogd.signal(Signal::TERM);
    soon("its end", async {
        while log.count("is away") == before {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    set.deliver(&numbered(2));
    rsyslogd.start_again();
    has_all(&rsyslogd, 2).await;
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    assert_eq!(written(&rsyslogd), [1, 2]);
}

#[tokio::test]
async fn a_receiver_over_tls_must_prove_who_it_is() {
    for library in LIBRARIES {
        let (site, port) = (Site::new(), free_port().await);
        let Some(rsyslogd) = start_with_tls(&site, port, library, "").await else { return };
        let stranger = Site::of("Others");
        for (target, reason) in [
            (stranger.target_over("relps", "localhost", port, ""), "signed by nobody who is trusted"),
            (site.target_over("relps", "127.0.0.1", port, ""), "(localhost), not for 127.0.0.1"),
        ] {
            refuses(target, reason).await;
        }
        assert!(!rsyslogd.out().exists(), "nothing was taken");
    }
}

#[tokio::test]
async fn a_receiver_over_tls_may_ask_who_this_is() {
    for library in LIBRARIES {
        let (site, port) = (Site::new(), free_port().await);
        let more = format!(
            "tls.caCert=\"{}\" tls.authMode=\"certvalid\"",
            site.authority.write(site.path()).display()
        );
        let Some(rsyslogd) = start_with_tls(&site, port, library, &more).await else { return };
        let stranger = site.target_over("relps", "localhost", port, "");
        refuses(stranger, "it wants a certificate of this host").await;
        assert!(!rsyslogd.out().exists(), "nothing was taken");
        let identity = site.identity(&site.authority.client());
        check_at(&rsyslogd, site.target_over("relps", "localhost", port, &identity), true).await;
    }
}

/// A message to a receiver that is away for this reason is kept.
async fn refuses(target: SyslogTarget, reason: &str) {
    let (log, _guard) = Log::start();
    let set = start_at(target);
    set.deliver(&numbered(1));
    soon(reason, log.holds(reason)).await;
    assert_eq!((log.count("away"), log.count("is back")), (1, 0), "{log:?}");
    let losses = soon("the flush", set.flush(Duration::from_millis(50))).await;
    assert_eq!((losses[0].count, losses[0].reason), (1, "unconfirmed when the agent ended"), "{reason}");
}

/// Answers with these words, one for each thing it is told, then says nothing more.
async fn seem(words: Vec<&'static str>) -> u16 {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = attend(&mut stream, &words).await;
        }
    });
    port
}

async fn attend(stream: &mut TcpStream, words: &[&str]) -> io::Result<()> {
    let mut buffer = [0; 65_536];
    for word in words {
        if stream.read(&mut buffer).await? == 0 {
            return Ok(());
        }
        stream.write_all(word.as_bytes()).await?;
    }
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

#[tokio::test]
async fn what_only_seems_to_speak_relp_gets_nothing_confirmed() {
    const OPENED: &str = "1 rsp 37 200 OK\nrelp_version=0\ncommands=syslog\n";
    for (words, reason) in [
        (vec!["220 loghost ready\r\n"], r"it speaks no RELP (it says 220 loghost ready\r\n)"),
        (vec!["9999999999999999"], "it speaks no RELP (it says 9999999999999999)"),
        (vec!["1 rsp 999999999 200 OK\n"], "it answers with 999999999 bytes at once"),
        (vec!["1 rsp 13 500 too busy!\n"], "it refuses a RELP session (too busy!)"),
        (vec!["1 rsp 6 200 OK\n"], "it takes no syslog messages over RELP"),
        (vec![""], "it opens no RELP session: name its port for RELP, usually 20514"),
        (vec![OPENED, "3 rsp 6 200 OK\n"], "it answers message 3 out of turn"),
        (vec![OPENED, "2 rsp 15 500 disk full\x1b\x07\n"], r"it refuses a message (disk full\x1b\x07)"),
        (vec![OPENED, "0 serverclose 0\n"], "it closed the session"),
    ] {
        let port = seem(words).await;
        refuses(format!("relp://127.0.0.1:{port}").parse().unwrap(), reason).await;
    }
}
