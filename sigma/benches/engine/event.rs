//! Program starts as containers make them: entry points, shells, health checks, probes, package managers,
//! servers and their workers, cron, deployment jobs, people at a terminal.
//!
//! Shares are those of a busy host: health checks and shell pipelines are most of it.

use sigma::{FieldId, Lifetime, LogSourceId, Owner, Presence, Record, Value};

use super::host;
use super::kind;
use super::random::Random;

/// A started program. Fields by their number, each with its values.
pub struct Exec {
    pub source: LogSourceId,
    pub fields: Vec<Vec<Box<str>>>,
}

impl Record for Exec {
    fn log_source(&self) -> LogSourceId {
        self.source
    }

    fn time(&self) -> u64 {
        0
    }

    fn owner(&self, _: Lifetime) -> Option<Owner> {
        None
    }

    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence {
        match self.fields.get(usize::from(field.0)) {
            Some(values) if !values.is_empty() => {
                values.iter().for_each(|value| each(Value::Text(value)));
                Presence::Present
            }
            Some(_) | None => Presence::Absent,
        }
    }
}

/// `count` of them, the same for the same seed.
pub fn execs(host: &host::Host, count: usize, seed: u64) -> Vec<Exec> {
    let mut random = Random::new(seed);
    (0..count).map(|_| exec(host, &mut random)).collect()
}

fn exec(host: &host::Host, random: &mut Random) -> Exec {
    let written = match random.below(100) {
        0..22 => kind::health_check(random),
        22..42 => kind::pipeline(random),
        42..52 => kind::entry_point(random),
        52..64 => kind::worker(random),
        64..72 => kind::script(random),
        72..79 => kind::package_manager(random),
        79..85 => kind::fetch(random),
        85..91 => kind::cron(random),
        91..96 => kind::compiler(random),
        _ => kind::person(random),
    };
    let user =
        random.pick(&["root", "root", "root", "www-data", "node", "app", "postgres", "nobody", "1000"]);
    let directory = match random.below(6) {
        0 | 1 => "/".to_owned(),
        2 => "/app".to_owned(),
        3 => format!("/srv/{}", random.word(6)),
        4 => format!("/var/lib/{}/{}", random.word(5), random.hex(12)),
        _ => format!("/home/{}/src/{}", user, random.word(9)),
    };
    let mut images = vec![written.image];
    // The path as it was invoked, where it is a link to the file.
    if let Some(name) = images[0].strip_prefix("/usr/bin/").filter(|_| random.chance(20)) {
        images.push(format!("/bin/{name}"));
    }
    let one = |text: &str| vec![text.to_owned()];
    host.exec(&[
        ("Image", images),
        ("CommandLine", vec![written.command]),
        ("ParentImage", vec![written.parent]),
        ("ParentCommandLine", vec![written.parent_command]),
        ("CurrentDirectory", vec![directory]),
        ("User", one(user)),
        ("LogonId", one("4294967295")),
        ("ProcessId", vec![random.between(300, 4_000_000).to_string()]),
        ("ParentProcessId", vec![random.between(1, 4_000_000).to_string()]),
        ("ContainerId", vec![random.hex(64)]),
        ("ContainerName", vec![format!("{}-{}", random.word(7), random.below(20))]),
        (
            "ContainerImage",
            vec![format!("registry.example.org/{}/{}:{}", random.word(5), random.word(8), random.hex(7))],
        ),
    ])
}

/// Starts with command lines of `length` bytes: generated class paths, inlined scripts, encoded data.
pub fn long_execs(host: &host::Host, count: usize, length: usize, seed: u64) -> Vec<Exec> {
    let mut random = Random::new(seed);
    let mut long = |_| {
        let mut command = "java -cp ".to_owned();
        while command.len() < length {
            command += &match random.below(3) {
                0 => format!("/app/libs/{}-{}.jar:", random.word(9), random.below(20)),
                1 => format!("-D{}.{}={} ", random.word(6), random.word(8), random.hex(20)),
                _ => format!("'$(cat /etc/{}.conf)' | base64 -d; ", random.word(7)),
            };
        }
        command.truncate(length);
        let one = |text: &str| vec![text.to_owned()];
        host.exec(&[
            ("Image", one("/opt/java/openjdk/bin/java")),
            ("CommandLine", vec![command]),
            ("ParentImage", one("/usr/bin/bash")),
            ("ParentCommandLine", one("/bin/bash /opt/start.sh")),
            ("CurrentDirectory", one("/")),
            ("User", one("root")),
        ])
    };
    (0..count).map(&mut long).collect()
}
