//! What stands in the configuration.

use super::*;
use crate::sink::Form;
use crate::sink::kafka::Mechanism;

fn read(text: &str) -> Result<KafkaTarget, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn a_word_and_a_map_of_it_are_the_same() {
    let word: KafkaTarget = "kafka://h/t".parse().unwrap();
    assert_eq!((word.form, word.to_string().as_str()), (Form::Ecs, "kafka://h:9092/t"));
    assert_eq!(read("kafka://h/t"), Ok(word.clone()));
    assert_eq!(read("{url: \"kafka://h/t\", format: ecs}"), Ok(word));
    let all = read(
        "url: kafkas://a,b:1,[::1]:2/t.x_y-z\nformat: ocsf\nuser: u\npassword_file: /p\nmechanism: scram-sha-256\n\
         ca: /a\ncertificate: /c\nkey: /k\n",
    )
    .unwrap();
    assert_eq!(all.to_string(), "kafkas://a:9093,b:1,[::1]:2/t.x_y-z as ocsf");
    assert_eq!(all.login.unwrap().mechanism, Mechanism::ScramSha256);
    let login = read("{url: \"kafka://h/t\", user: u, password_file: /p}").unwrap().login.unwrap();
    assert_eq!(login.mechanism, Mechanism::ScramSha512, "the safest is what is taken");
    for loopback in ["kafka://127.0.0.1/t", "kafka://[::1]/t", "kafkas://h/t"] {
        read(&format!("{{url: \"{loopback}\", user: u, password_file: /p, mechanism: plain}}")).unwrap();
    }
}

#[test]
fn refuses_with_the_reason() {
    let many = format!("kafka://{}/t", ["h"; 17].join(","));
    let long = format!("kafka://h/{}", "t".repeat(250));
    let user = format!("{{url: \"kafka://h/t\", user: {}, password_file: /p}}", "u".repeat(256));
    for (text, reason) in [
        ("h/t", "it has no scheme; write kafka://HOST:PORT/TOPIC"),
        ("http://h/t", "none of those"),
        ("kafka://h", "names no topic"),
        ("kafka://h/", "its topic has to be"),
        ("kafka://h/a/b", "its topic has to be"),
        ("kafka://h/..", "its topic has to be"),
        (&long, "its topic has to be"),
        ("kafka:///t", "names no host"),
        ("kafka://h,/t", "names no host"),
        ("kafka://h:0/t", "no number from 1"),
        ("kafkas://h,a..b/t", "that a certificate can be for"),
        (&many, "more than 16 brokers"),
        ("kafka://u:s3cret@h/t", "name `user` and `password_file`"),
        ("{url: \"kafka://h/t\", user: u}", "`user` stands without `password_file`"),
        ("{url: \"kafka://h/t\", password_file: /p}", "`password_file` stands without `user`"),
        ("{url: \"kafka://h/t\", mechanism: plain}", "`mechanism` stands without `user`"),
        ("{url: \"kafka://h/t\", mechanism: gssapi, user: u, password_file: /p}", "gssapi"),
        (&user, "one word of at most 255"),
        (
            "{url: \"kafka://127.0.0.1,h/t\", user: u, password_file: /p, mechanism: plain}",
            "would go to kafka://",
        ),
        (
            "{url: \"kafka://localhost/t\", user: u, password_file: /p, mechanism: plain}",
            "would go to kafka://",
        ),
        (
            "{url: \"kafka://h/t\", ca: /a}",
            "`ca` says how to trust kafka://h/t, which is sent to in the clear",
        ),
        ("{url: \"kafkas://h/t\", key: /t}", "`key` stands without `certificate`"),
        ("{url: \"kafkas://h/t\", verify: false}", "verify"),
        ("{format: ecs}", "url"),
        ("80", "a topic such as kafka://HOST:PORT/TOPIC"),
    ] {
        let error = read(text).expect_err(text);
        assert!(error.contains(reason) && !error.contains("s3cret"), "{text}: {error}");
    }
}

#[test]
fn files_that_cannot_be_used_show_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let target =
        read(&format!("{{url: \"kafka://h/t\", user: u, password_file: {}}}", path.display())).unwrap();
    assert!(target.prepare().unwrap_err().to_string().starts_with("cannot read "));
    std::fs::write(&path, "s3cret").unwrap();
    target.prepare().unwrap();
    let target = read("{url: \"kafkas://h/t\", ca: /nonexistent}").unwrap();
    assert!(target.prepare().unwrap_err().to_string().contains("/nonexistent"));
}
