//! What is known of a start.

use super::*;

fn exec_of(record: &mut Record) -> &mut Exec {
    let RecordBody::Exec(exec) = &mut record.body else { panic!("an exec") };
    exec
}

#[test]
fn a_start_has_its_circumstances() {
    use sensor_ebpf::wire::process::{Exec as Flags, Stream};
    let mut pipeline = pipeline();
    let mut started = exec(MILLISECOND, 80, 1, "/usr/bin/python3.11", &["python3", "/srv/job.py"]);
    let facts = exec_of(&mut started);
    facts.filename = "/srv/job.py".to_owned();
    facts.interpreter = Some("/usr/bin/python3".to_owned());
    (facts.login_uid, facts.terminal) = (Some(1000), Some((136, 3)));
    facts.flags = Flags::SCRIPT | Flags::BY_THREAD;
    let pipe = Stream { mode: 0o010_600, inode: 4711, ..Stream::default() };
    let null = Stream { mode: 0o020_666, special: 1 << 20 | 3, inode: 9, ..Stream::default() };
    facts.streams = [pipe, null, Stream::default()];
    facts.environment = vec!["LD_PRELOAD=/x.so".to_owned(), "AWS_SECRET_ACCESS_KEY=wJalr".to_owned()];
    feed(&mut pipeline, [started]);
    let event = event_of(&mut pipeline, 80, Body::ProcessCreation);
    for (field, expected) in [
        (Field::LoginUserId, &["1000"][..]),
        (Field::Terminal, &["pts/3"]),
        (Field::Script, &["/srv/job.py"]),
        (Field::Interpreter, &["/usr/bin/python3"]),
        (Field::Image, &["/usr/bin/python3.11", "/srv/job.py"]),
        (Field::ExecByThread, &["true"]),
        (Field::NetNamespace, &["7"]),
        (Field::UserNamespace, &["8"]),
        (Field::Environment, &["LD_PRELOAD=/x.so", "AWS_SECRET_ACCESS_KEY=(set)"]),
        (Field::ArgumentCount, &["2"]),
        (Field::CommandLineTruncated, &["false"]),
        (Field::StdinType, &["pipe"]),
        (Field::StdinId, &["4711"]),
        (Field::StdoutType, &["null"]),
        (Field::StdoutId, &[]),
        (Field::StderrType, &["closed"]),
        (Field::EventAction, &[]),
    ] {
        assert_eq!(values(&event, field), expected, "{field:?}");
    }
}

#[test]
fn a_padded_command_line_keeps_its_end() {
    let mut pipeline = pipeline();
    let mut started = exec(MILLISECOND, 81, 1, "/usr/bin/curl", &["curl", "-H", "x"]);
    let facts = exec_of(&mut started);
    facts.last_arguments = vec!["xx".to_owned(), "http://10.0.0.2/x".to_owned()];
    (facts.arguments_truncated, facts.argument_count, facts.arguments_size) = (true, 4, 100_000);
    feed(&mut pipeline, [started]);
    let event = event_of(&mut pipeline, 81, Body::ProcessCreation);
    assert_eq!(values(&event, Field::CommandLine), ["curl -H x … xx http://10.0.0.2/x"]);
    assert_eq!(values(&event, Field::CommandLineTruncated), ["true"]);
    assert_eq!(values(&event, Field::Arguments), ["curl", "-H", "x", "xx", "http://10.0.0.2/x"]);
    assert_eq!(values(&event, Field::ArgumentCount), ["4"]);
    assert_eq!(values(&event, Field::ArgumentBytes), ["100000"]);
    assert_eq!(pipeline.drain().len(), 1, "and so the rule on downloads finds the address");
}

#[test]
fn a_program_run_by_the_loader_is_that_program() {
    let mut pipeline = pipeline();
    let loader = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
    let words = ["ld.so", "--inhibit-cache", "./curl", "-o", "/tmp/x", "http://10.0.0.2/x"];
    let mut started = exec(MILLISECOND, 82, 1, loader, &words);
    exec_of(&mut started).directory = "/usr/bin".to_owned();
    feed(&mut pipeline, [started]);
    let event = event_of(&mut pipeline, 82, Body::ProcessCreation);
    assert_eq!(values(&event, Field::Image), [loader, "/usr/bin/./curl"]);
    let accounts = pipeline.drain();
    let [account] = accounts.as_slice() else { panic!("curl is curl, got {}", accounts.len()) };
    assert_eq!(account.steps.first().map(|step| step.program.as_str()), Some("curl"));
}

#[test]
fn a_loaded_multi_call_binary_has_its_applet() {
    let mut pipeline = pipeline();
    let words = ["ld", "--argv0", "wget", "/bin/busybox", "http://10.0.0.2/x"];
    feed(&mut pipeline, [exec(MILLISECOND, 83, 1, "/lib/ld-musl-x86_64.so.1", &words)]);
    let event = event_of(&mut pipeline, 83, Body::ProcessCreation);
    assert_eq!(values(&event, Field::Image), ["/lib/ld-musl-x86_64.so.1", "/bin/busybox", "/bin/wget"]);
}
