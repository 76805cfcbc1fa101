//! Receivers that say no: not now, not you, or not this.

use super::*;

#[tokio::test]
async fn what_is_not_taken_now_is_sent_again_in_order_when_the_receiver_wants_it() {
    let port = free_port().await;
    // Not 408: nginx never says it, it closes the connection.
    for status in [429, 500, 503] {
        let away = format!("add_header Retry-After 2 always; if ($request_method) {{ return {status}; }}");
        let Some(broken) = Nginx::start(port, &away).await else { return };
        let (log, _guard) = Log::start();
        let set = start(&[webhook(&broken.url("/"))]);
        (1..=3).for_each(|number| set.deliver(&numbered(number)));
        soon("a refusal", log.holds(&format!("is away: it answers {status}"))).await;
        let asked = broken.so_far().len();
        assert_eq!(asked, 1, "it asked for two seconds");
        drop(broken);
        let begun = Instant::now();
        let Some(nginx) = Nginx::start(port, "").await else { return };
        assert_eq!(numbers(&nginx.requests(3).await), [1, 2, 3]);
        // A second: it asked for two, and starting another nginx took part of them.
        assert!(begun.elapsed() > Duration::from_secs(1), "{status}: after {:?}", begun.elapsed());
        assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
        assert_eq!((log.count("is away"), log.count("is back after")), (1, 1), "{log:?}");
    }
}

#[tokio::test]
async fn one_that_will_never_be_taken_is_lost_and_counted_and_the_others_go_on() {
    for (batch, status) in [(1, 400), (16, 400), (1, 422), (16, 422)] {
        let never = format!("if ($http_idempotency_key = '\"{}-5\"') {{ return {status}; }}", id(5));
        // Of a batch nobody knows by its key what is in it: it is refused whole until the message stands alone.
        let lines = format!(
            "if ($content_type = application/x-ndjson) {{ set $many $http_idempotency_key; }} if ($many ~ '^\"[^-]*-[^-]*-[^-]*-[^-]*-[^-]*-[0-9]*-') {{ return {status}; }}"
        );
        let settings = format!("set $many ''; {never} {lines}");
        let Some(nginx) = Nginx::start(free_port().await, &settings).await else { return };
        let (log, _guard) = Log::start();
        let set = start(&[webhook(&format!("{{url: \"{}\", batch: {batch}}}", nginx.url("/")))]);
        (1..=9).for_each(|number| set.deliver(&numbered(number)));
        let taken = nginx.requests(8).await;
        assert_eq!(numbers(&taken), [1, 2, 3, 4, 6, 7, 8, 9]);
        let losses = soon("the flush", set.flush(PATIENCE)).await;
        assert_eq!(refused(&losses), 1, "{losses:?}");
        assert_eq!(losses.len(), 1, "{losses:?}");
        assert_eq!(log.count("refuses messages, which are counted as lost: it answers"), 1, "{log:?}");
        assert_eq!(log.count("is away"), 0, "{log:?}");
    }
}

#[tokio::test]
async fn one_that_is_too_long_for_it_is_lost_alone() {
    let Some(nginx) = Nginx::start(free_port().await, "client_max_body_size 16k;").await else { return };
    let set = start(&[webhook(&format!("{{url: \"{}\", batch: 4}}", nginx.url("/")))]);
    set.deliver(&numbered(1));
    let mut long = sample::alert();
    long.steps = vec![long.steps[0].clone(); 400];
    (long.sequence, long.id) = (2, id(2));
    set.deliver(&Arc::new(Message::Alert(Box::new(long))));
    set.deliver(&numbered(3));
    assert_eq!(numbers(&nginx.documents(2).await), [1, 3]);
    let losses = soon("the flush", set.flush(PATIENCE)).await;
    assert_eq!((refused(&losses), losses.len()), (1, 1), "{losses:?}");
    assert!(nginx.so_far().iter().any(|request| request.status == 413));
}

/// A token that has run out costs no message: its file is read again for every attempt.
#[tokio::test]
async fn who_may_not_send_waits_for_a_token_that_lets_in() {
    let settings = "if ($http_authorization != 'Bearer good') { return 401; }";
    let Some(nginx) = Nginx::start(free_port().await, settings).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "old\n").unwrap();
    let (log, _guard) = Log::start();
    // The name would not do: only an address of loopback is surely not read on the way.
    let url = nginx.url("/").replace("localhost", "127.0.0.1");
    let set = start(&[webhook(&format!("{{url: \"{url}\", token_file: {}}}", token.display()))]);
    (1..=2).for_each(|number| set.deliver(&numbered(number)));
    soon("a refusal", log.holds("is away: it answers 401 Unauthorized")).await;
    std::fs::write(&token, "good\n").unwrap();
    let taken = nginx.requests(2).await;
    assert_eq!(numbers(&taken), [1, 2]);
    assert!(taken.iter().all(|request| request.authorization == "Bearer good"));
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
    assert_eq!((log.count("old"), log.count("good")), (0, 0), "a secret stands in the log: {log:?}");
}

#[tokio::test]
async fn nothing_is_sent_where_a_receiver_points_to() {
    let port = free_port().await;
    let Some(other) = Nginx::start(port, "").await else { return };
    let away = format!("return 307 {};", other.url("/"));
    let Some(nginx) = Nginx::start(free_port().await, &away).await else { return };
    let (log, _guard) = Log::start();
    let set = start(&[webhook(&nginx.url("/"))]);
    set.deliver(&numbered(1));
    soon("a refusal", log.holds("is away: it answers 307 Temporary Redirect: it points elsewhere")).await;
    let left = soon("the flush", set.flush(Duration::from_millis(300))).await;
    assert_eq!(left.iter().map(|loss| loss.count).sum::<u64>(), 1, "{left:?}");
    assert_eq!(other.so_far().len(), 0);
}

#[tokio::test]
async fn what_is_no_http_is_told_as_that() {
    use tokio::io::AsyncWriteExt as _;

    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (log, _guard) = Log::start();
    let set = start(&[webhook(&format!("http://{}", listener.local_addr().unwrap()))]);
    set.deliver(&numbered(1));
    let (mut stream, _) = soon("a connection", listener.accept()).await.unwrap();
    stream.write_all(b"220 mail ready\r\n").await.unwrap();
    soon("a word", log.holds("is away: it answers something that is no HTTP")).await;
    assert_eq!(set.outstanding()[0].outstanding, 1);
}
