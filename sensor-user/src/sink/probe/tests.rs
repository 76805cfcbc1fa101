//! Real receivers on loopback, there and away, and files that can and cannot be written.

use std::os::unix::net::UnixDatagram as Datagrams;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::*;
use crate::sink::{Facility, FileTarget, Form, SyslogReceiver};

fn syslog(word: &str) -> Target {
    let target: SyslogTarget = word.parse().unwrap();
    Target::Syslog { receiver: SyslogReceiver::from(target), facility: Facility::default() }
}

fn file_at(path: &Path) -> Target {
    Target::File(FileTarget { path: path.to_owned(), form: Form::default(), mebibytes: 1, keep: 1 })
}

#[tokio::test]
async fn who_listens_is_reached_and_nothing_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let webhook = Target::Webhook(format!("http://{address}/hook").parse().unwrap());
    for target in [syslog(&format!("tcp://{address}")), syslog(&format!("relp://{address}")), webhook] {
        assert_eq!(target.probe().await, Some(CONNECTED), "{}", target.name());
        let (mut stream, _) = listener.accept().await.unwrap();
        let sent = stream.read(&mut [0; 64]).await.unwrap();
        assert_eq!(sent, 0, "{} sent something", target.name());
    }
    assert_eq!(syslog(&format!("udp://{address}")).probe().await, Some(Reached::Perhaps));
    assert_eq!(Target::Stdout(crate::sink::Format::Json).probe().await, None);
}

#[tokio::test]
async fn who_is_away_is_told_with_the_reason_within_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for target in
        [syslog(&format!("tcp://{address}")), Target::Otlp(format!("grpc://{address}").parse().unwrap())]
    {
        let Some(Reached::Away { reason }) = target.probe().await else { panic!("{}", target.name()) };
        assert!(reason.contains("refused"), "{reason}");
    }
    // It accepts and says nothing: no TLS is spoken there.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let begun = Instant::now();
    let reached = syslog(&format!("tls://{}", silent.local_addr().unwrap())).probe().await;
    let Some(Reached::Refused { reason }) = reached else { panic!("{reached:?}") };
    assert!(reason.contains("no TLS handshake"), "{reason}");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_local_socket_is_there_or_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let target = syslog(&format!("unix://{}", path.display()));
    assert!(matches!(target.probe().await, Some(Reached::Away { .. })));
    let socket = Datagrams::bind(&path).unwrap();
    assert_eq!(target.probe().await, Some(LISTENS));
    drop(socket);
    assert!(matches!(target.probe().await, Some(Reached::Away { .. })), "its file is left");
}

#[tokio::test]
async fn a_file_is_tried_without_being_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("below/alerts.json");
    assert_eq!(file_at(&path).probe().await, Some(Reached::Yes { how: "may be written" }));
    assert!(!path.exists() && !directory.path().join("below").exists());
    std::fs::write(directory.path().join("plain"), "").unwrap();
    let below = file_at(&directory.path().join("plain/alerts.json")).probe().await;
    assert!(matches!(below, Some(Reached::Unwritable { .. })), "{below:?}");
    let folder = file_at(directory.path()).probe().await;
    assert!(
        matches!(&folder, Some(Reached::Unwritable { reason }) if reason.ends_with("is a folder")),
        "{folder:?}"
    );
    // Nobody writes there, root neither.
    let proc = file_at(Path::new("/proc/self/alerts.json")).probe().await;
    assert!(matches!(proc, Some(Reached::Unwritable { .. })), "{proc:?}");
}
