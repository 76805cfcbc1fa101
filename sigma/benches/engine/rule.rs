//! Made-up rules of the shapes that people write: programs by the end of their path, parts of a command line,
//! lists with `all`, parents, exceptions, a few regular expressions.
//!
//! Shares and list lengths are roughly those of the public rules for program starts on Linux. A tenth of
//! the words are such as the records have, too; so a large set does not simply look for what never occurs.

use std::fmt::Write;

use sigma::Source;

use super::random::Random;

/// Programs that records and public rules both know.
const PROGRAMS: [&str; 40] = [
    "bash",
    "sh",
    "dash",
    "curl",
    "wget",
    "python3",
    "perl",
    "ruby",
    "php",
    "node",
    "java",
    "tar",
    "gzip",
    "openssl",
    "nc",
    "ncat",
    "socat",
    "crontab",
    "chmod",
    "chattr",
    "systemctl",
    "iptables",
    "ufw",
    "useradd",
    "usermod",
    "dpkg",
    "apt-get",
    "apk",
    "pip",
    "git",
    "find",
    "grep",
    "awk",
    "sed",
    "base64",
    "cat",
    "rm",
    "dd",
    "mount",
    "kubectl",
];
/// Parts of command lines that records know.
const PARTS: [&str; 24] = [
    "/etc/passwd",
    "/etc/shadow",
    "/tmp/",
    "/dev/shm/",
    " -c ",
    "http://",
    "https://",
    "base64 -d",
    "--no-check-certificate",
    "/var/log/",
    "/proc/",
    ".sh",
    "/dev/tcp/",
    " -e ",
    "chmod +x",
    "/root/.ssh",
    "authorized_keys",
    "history -c",
    "LD_PRELOAD",
    "/etc/cron",
    "nohup ",
    "| bash",
    "--insecure",
    "/etc/hosts",
];

/// One document each, the same for the same seed.
pub fn rules(count: usize, seed: u64) -> Vec<Source> {
    let mut random = Random::new(seed);
    (0..count).map(|number| Source::new(format!("{number}.yml"), rule(number, &mut random))).collect()
}

fn rule(number: usize, random: &mut Random) -> String {
    let detection = match random.below(100) {
        0..40 => program_and_parts(random),
        40..55 => parts(random, true),
        55..65 => parent_and_program(random),
        65..80 => with_exception(random),
        80..90 => parts(random, false),
        90..95 => pattern(random),
        _ => program(random),
    };
    format!(
        "title: Rule {number}\nlogsource: {{category: process_creation, product: linux}}\ndetection:\n{detection}\nlevel: medium\n"
    )
}

fn list(key: &str, values: &[String]) -> String {
    let mut text = format!("    {key}:\n");
    for value in values {
        writeln!(text, "      - '{value}'").unwrap();
    }
    text
}

fn programs(random: &mut Random, most: usize) -> Vec<String> {
    let one = |random: &mut Random| match random.chance(10) {
        true => format!("/{}", random.pick(&PROGRAMS)),
        false => {
            let length = random.between(4, 12);
            format!("/{}", random.word(length))
        }
    };
    unique((0..random.between(1, most)).map(|_| one(random)).collect())
}

fn words(random: &mut Random, least: usize, most: usize) -> Vec<String> {
    let one = |random: &mut Random| {
        let length = random.between(4, 10);
        match random.below(10) {
            0 => random.pick(&PARTS).to_owned(),
            1..4 => format!("--{}", random.word(length)),
            4 | 5 => format!("/{}/{}", random.word(5), random.word(length)),
            6 => format!(" -{} ", random.word(1)),
            7 => format!("{}=", random.word(length)),
            _ => format!("{} {}", random.word(length), random.word(4)),
        }
    };
    unique((0..random.between(least, most)).map(|_| one(random)).collect())
}

fn unique(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values.dedup();
    values
}

fn program(random: &mut Random) -> String {
    format!("  selection:\n{}  condition: selection", list("Image|endswith", &programs(random, 5)))
}

fn program_and_parts(random: &mut Random) -> String {
    let image = list("Image|endswith", &programs(random, 4));
    let parts = list("CommandLine|contains", &words(random, 1, 6));
    format!("  selection_img:\n{image}  selection_cli:\n{parts}  condition: all of selection_*")
}

fn parts(random: &mut Random, all: bool) -> String {
    let values = words(random, 2, 5);
    let key = if all && values.len() > 1 { "CommandLine|contains|all" } else { "CommandLine|contains" };
    format!("  selection:\n{}  condition: selection", list(key, &values))
}

fn parent_and_program(random: &mut Random) -> String {
    let (parent, image) = (programs(random, 6), programs(random, 8));
    let items = [list("ParentImage|endswith", &parent), list("Image|endswith", &image)].concat();
    format!("  selection:\n{items}  condition: selection")
}

fn with_exception(random: &mut Random) -> String {
    let image = list("Image|endswith", &programs(random, 3));
    let parts = list("CommandLine|contains", &words(random, 1, 4));
    let parent = list("ParentImage|startswith", &[format!("/opt/{}/", random.word(7))]);
    let directory = list("ParentCommandLine|contains", &words(random, 1, 2));
    format!(
        "  selection:\n{image}{parts}  filter_main_parent:\n{parent}  filter_main_line:\n{directory}  \
         condition: selection and not 1 of filter_main_*"
    )
}

fn pattern(random: &mut Random) -> String {
    let value = format!(r"\b{}\s+(-[a-z]+\s+)*[\w/.-]*{}", random.word(5), random.word(4));
    format!("  selection:\n{}  condition: selection", list("CommandLine|re", &[value]))
}

/// Rules that nothing but a regular expression decides, many of them without a word they must contain.
pub fn regex_rules(count: usize, seed: u64) -> Vec<Source> {
    let mut random = Random::new(seed);
    let mut detection = |_| {
        let value = match random.below(3) {
            0 => format!(r"(?i)(curl|wget)\s+.*{}\.(sh|py|pl)$", random.word(4)),
            1 => format!(r"[0-9]{{1,3}}(\.[0-9]{{1,3}}){{3}}[:/]{}", random.between(1000, 9999)),
            _ => format!(r"^[a-z]+\s(-[a-z]\s)+{}", random.word(5)),
        };
        format!("  selection:\n{}  condition: selection", list("CommandLine|re", &[value]))
    };
    let text = |detection: String| {
        format!(
            "title: Rule\nlogsource: {{category: process_creation, product: linux}}\ndetection:\n{detection}\n"
        )
    };
    (0..count).map(|number| Source::new(format!("{number}.yml"), text(detection(number)))).collect()
}

/// Rules all of which are candidates for nearly every record: their rarest part is common.
pub fn common_rules(count: usize, seed: u64) -> Vec<Source> {
    let mut random = Random::new(seed);
    let mut detection = |_| {
        let image = list("Image|contains", &["/".to_owned()]);
        let parts = list("CommandLine|contains", &["e".to_owned(), "a".to_owned()]);
        let exception =
            list("CurrentDirectory|startswith", &["/".to_owned(), format!("/{}", random.word(6))]);
        format!("  selection:\n{image}{parts}  filter:\n{exception}  condition: selection and not filter")
    };
    let text = |detection: String| {
        format!(
            "title: Rule\nlogsource: {{category: process_creation, product: linux}}\ndetection:\n{detection}\n"
        )
    };
    (0..count).map(|number| Source::new(format!("{number}.yml"), text(detection(number)))).collect()
}
