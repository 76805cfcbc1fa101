//! A socket that hangs, one that talks nonsense, and one that is gone.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use super::*;

const ID: &str = "accab06600d8e4c16fbf7d95112383c8780e35d72d95fce0bd5e6a3e1f94f814";

fn claim(runtime: Runtime) -> CgroupIdentity {
    CgroupIdentity { id: ID.to_owned(), runtime, pod_uid: None, outer: vec![], user: None }
}

fn socket(kind: SocketKind, path: &Path) -> Arc<Socket> {
    Socket::new(SocketPlace { kind, path: path.to_owned() })
}

/// Answers each question by what `answer` makes of it, until the test ends.
fn serve(path: &Path, answer: impl Fn(UnixStream, &str) + Send + 'static) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut question = [0; 512];
            let length = stream.read(&mut question).unwrap_or(0);
            answer(stream, &String::from_utf8_lossy(question.get(..length).unwrap_or_default()));
        }
    });
}

#[tokio::test]
async fn a_socket_that_accepts_and_never_answers_is_given_up_and_then_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    for kind in [SocketKind::Docker, SocketKind::Podman, SocketKind::Cri] {
        let path = directory.path().join(format!("{kind:?}"));
        // The kernel accepts into the backlog; nobody reads.
        let _listener = UnixListener::bind(&path).unwrap();
        let socket = socket(kind, &path);
        let started = Instant::now();
        let asks = (0..OPEN_MAX + 5).map(|_| {
            let socket = Arc::clone(&socket);
            tokio::spawn(async move { socket.ask(&claim(Runtime::Unknown)).await })
        });
        for ask in asks.collect::<Vec<_>>() {
            assert_eq!(ask.await.unwrap(), None);
        }
        let took = started.elapsed();
        assert!(took >= QUESTION_MAX && took < 2 * QUESTION_MAX, "all at once, one second each: {took:?}");
        let started = Instant::now();
        assert_eq!(socket.ask(&claim(Runtime::Unknown)).await, None);
        assert!(started.elapsed() < QUESTION_MAX / 2, "the breaker is open");
    }
}

#[tokio::test]
async fn a_probe_tells_who_answers_and_why_nobody_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine");
    assert!(socket(SocketKind::Docker, &path).probe().await.unwrap_err().contains("No such file"));
    serve(&path, |mut stream, question| {
        let is_asked = question.starts_with("GET /containers/0000");
        let answer = if is_asked { "HTTP/1.0 404 Not Found\r\n\r\n{}" } else { "HTTP/1.0 500 No\r\n\r\n" };
        stream.write_all(answer.as_bytes()).unwrap();
    });
    assert_eq!(socket(SocketKind::Docker, &path).probe().await, Ok(()));
    let silent = directory.path().join("silent");
    let _listener = UnixListener::bind(&silent).unwrap();
    assert_eq!(socket(SocketKind::Podman, &silent).probe().await.unwrap_err(), "no answer within 1 second");
}

#[tokio::test]
async fn nonsense_is_a_failure_and_not_knowing_is_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let named = format!(r#"{{"Id": "{ID}", "Name": "/web", "Config": {{"Image": "tools:1"}}}}"#);
    for (name, answer, is_answer) in [
        ("known", format!("HTTP/1.0 200 OK\r\n\r\n{named}"), true),
        ("unknown", "HTTP/1.0 404 Not Found\r\n\r\n{}".to_owned(), true),
        ("other", format!("HTTP/1.0 200 OK\r\n\r\n{}", named.replace("accab", "00000")), true),
        ("refused", "HTTP/1.0 500 Internal Server Error\r\n\r\nno".to_owned(), false),
        ("ssh", "SSH-2.0-OpenSSH\r\n".to_owned(), false),
        ("cut", "HTTP/1.0 200 OK\r\n\r\n{\"Id\":".to_owned(), false),
        ("nothing", String::new(), false),
    ] {
        let path = directory.path().join(name);
        serve(&path, move |mut stream, question| {
            assert_eq!(question, format!("GET /containers/{ID}/json HTTP/1.0\r\n\r\n"));
            drop(stream.write_all(answer.as_bytes()));
        });
        let socket = socket(SocketKind::Docker, &path);
        let answer = socket.question(&claim(Runtime::Docker)).await;
        assert_eq!(answer.is_ok(), is_answer, "{name}: {answer:?}");
        let container = answer.ok().flatten();
        assert_eq!(container.is_some(), name == "known");
        if let Some(container) = container {
            assert_eq!(
                (container.name.as_deref(), container.image.as_deref()),
                (Some("web"), Some("tools:1"))
            );
            assert!(container.is_verified());
        }
    }
}

#[tokio::test]
async fn a_socket_that_is_not_there_says_so_and_works_when_it_comes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("docker.sock");
    let socket = socket(SocketKind::Docker, &path);
    let error = socket.question(&claim(Runtime::Docker)).await.unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
    assert_eq!(socket.ask(&claim(Runtime::Docker)).await, None);
    serve(&path, |mut stream, _| drop(stream.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n")));
    assert!(matches!(socket.question(&claim(Runtime::Docker)).await, Ok(None)));
    let cri = Socket::new(SocketPlace { kind: SocketKind::Cri, path: directory.path().join("none") });
    let error = cri.question(&claim(Runtime::Unknown)).await.unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn only_ids_are_asked_for_and_only_where_they_may_be_known() {
    let path = Path::new("/nowhere");
    assert!(socket(SocketKind::Docker, path).may_know(&claim(Runtime::Docker)));
    assert!(socket(SocketKind::Cri, path).may_know(&claim(Runtime::Unknown)));
    assert!(!socket(SocketKind::Cri, path).may_know(&claim(Runtime::Docker)));
    let hostile = CgroupIdentity { id: "../../images".to_owned(), ..claim(Runtime::Unknown) };
    assert!(!socket(SocketKind::Docker, path).may_know(&hostile));
    let place: SocketPlace =
        serde_json::from_str(r#"{"kind": "cri", "path": "/run/crio/crio.sock"}"#).unwrap();
    assert_eq!((place.kind, place.path.as_path()), (SocketKind::Cri, Path::new("/run/crio/crio.sock")));
}
