//! Files that cannot be used: told with their name and the reason before anything is connected to.

use super::*;
use crate::agent::receivers;

/// What the start says of a receiver with these files.
fn refusal(entry: &str) -> String {
    let error = receivers(&[as_sink(target(entry))]).expect_err(entry);
    format!("{error}; {}", error.remedy())
}

fn as_sink(target: SyslogTarget) -> Target {
    Target::Syslog { receiver: target.into(), facility: Facility::default() }
}

#[test]
fn mistakes_name_the_file_the_reason_and_the_remedy() {
    let site = Site::new();
    let (certificate, key) = site.authority.client().write(site.path(), "client");
    let (_, other) = site.authority.client().write(site.path(), "other");
    let write = |name: &str, text: &str| {
        let path = site.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let empty = write("empty.pem", "no certificate here\n");
    let cut = write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    let junk = write("junk.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let long = write("long.pem", &"x".repeat((1 << 20) + 1));
    let locked = write(
        "locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let missing = site.path().join("missing.pem");
    let readable = "name a file that this user may read";
    for (path, reason, remedy) in [
        (missing.as_path(), "No such file or directory", readable),
        (site.path(), "it is no regular file", "authorities"),
        (Path::new("/dev/zero"), "it is no regular file", "authorities"),
        (&empty, "it holds no certificate in PEM", "authorities"),
        (&key, "it holds no certificate in PEM", "authorities"),
        (&cut, "a section of it has no end", "authorities"),
        (&junk, "a certificate in it: ", "authorities"),
        (&long, "it has more than 1048576 bytes", "authorities"),
    ] {
        let told = refusal(&format!("{{url: \"tls://h\", ca: \"{}\"}}", path.display()));
        println!("{told}");
        for part in ["syslog tls://h:6514: ", &path.display().to_string(), "(`ca`)", reason, remedy] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    let ca = site.authority.write(site.path());
    for (certificate, key, reason, named) in [
        (&missing, &key, "No such file or directory", "missing.pem (`certificate`)"),
        (&empty, &key, "it holds no certificate in PEM", "empty.pem (`certificate`)"),
        (&certificate, &missing, "No such file or directory", "missing.pem (`key`)"),
        (&certificate, &certificate, "it holds no private key in PEM", "client.pem (`key`)"),
        (&certificate, &locked, "it is behind a passphrase", "locked.key (`key`)"),
        (&certificate, &other, "it is not the key of ", "other.key (`key`)"),
    ] {
        let (ca, certificate, key) = (ca.display(), certificate.display(), key.display());
        let told = refusal(&format!(
            "{{url: \"tls://h\", ca: \"{ca}\", certificate: \"{certificate}\", key: \"{key}\"}}"
        ));
        println!("{told}");
        assert!(told.contains(reason) && told.contains(named), "{named}: {told}");
    }
}

#[test]
fn sound_files_are_read_once() {
    let site = Site::new();
    let identity = site.identity(&site.authority.client());
    let told = site.target("localhost", 6514, &identity);
    receivers(&[as_sink(told.clone())]).unwrap();
    std::fs::remove_file(site.path().join("ca.pem")).unwrap();
    told.prepare().expect("what was read stays");
}
