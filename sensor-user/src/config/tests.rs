//! The documented defaults are the defaults, and mistakes are pointed at.

use super::*;
use crate::redact::{Form, Off};
use crate::source::kubernetes::Mode;

const DOCUMENTED: &str = include_str!("../../../deploy/tidewaiter.yaml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("tidewaiter.yaml"))
}

#[test]
fn the_documented_configuration_is_the_default() {
    assert_eq!(parse(DOCUMENTED).unwrap(), Config::default());
}

/// Otherwise the test above would pass with keys missing.
#[test]
fn every_key_is_documented() {
    for key in [
        "format",
        "log",
        "syslog",
        "facility",
        "webhook",
        "otlp",
        "kafka",
        "embedded_rules",
        "rules",
        "allow",
        "placeholders",
        "baseline",
        "story",
        "capture",
        "redact",
        "containers",
        "kubernetes",
        "control",
    ] {
        assert!(DOCUMENTED.lines().any(|line| line.starts_with(&format!("{key}:"))), "{key}");
    }
    for key in [
        "gather",
        "environment",
        "secrets",
        "closes",
        "off",
        "digest",
        "patterns",
        "docker",
        "containerd",
        "storage",
        "lxc",
        "nspawn",
        "mode",
        "kubeconfig",
        "node",
    ] {
        assert!(DOCUMENTED.lines().any(|line| line.starts_with(&format!("  {key}:"))), "{key}");
    }
}

#[test]
fn nothing_said_is_the_default() {
    for text in ["", "\n# a comment\n", "---\n", "{}\n"] {
        assert_eq!(parse(text).unwrap(), Config::default(), "{text:?}");
    }
}

#[test]
fn reads_every_key() {
    let config = parse(
        "format: json\nlog: debug\nsyslog: [\"tcp://h:6514\", unix:///dev/log]\nfacility: local3\n\
         webhook: [\"http://h/a\"]\notlp: [\"grpc://h\", {url: \"http://h\", body: document}]\n\
         kafka: [\"kafka://h,g:1/t\", {url: \"kafkas://h/t\", format: cef, user: u, password_file: /p}]\nembedded_rules: false\nrules: [/etc/tidewaiter/rules]\nallow: [/etc/tidewaiter/allow.yaml]\nstory: {gather: 250}\n\
         containers:\n  docker: [/data/docker]\nbaseline: /var/lib/tidewaiter/baseline.json\ncontrol: /run/other/agent.sock\n\
         kubernetes: {mode: on, kubeconfig: /etc/tidewaiter/kubeconfig, node: node-1}\n",
    )
    .unwrap();
    assert_eq!(config.format, FormatChoice::Json);
    assert_eq!(config.log, LogLevel::Debug);
    assert_eq!(config.facility, Facility::Local3);
    assert!(!config.embedded_rules);
    assert_eq!(config.rules, [PathBuf::from("/etc/tidewaiter/rules")]);
    assert_eq!(config.baseline, Some(PathBuf::from("/var/lib/tidewaiter/baseline.json")));
    assert_eq!(config.allow, [PathBuf::from("/etc/tidewaiter/allow.yaml")]);
    assert_eq!(config.story.gather.duration(), Duration::from_millis(250));
    assert_eq!(config.containers.docker, [PathBuf::from("/data/docker")]);
    assert_eq!(config.kubernetes.mode, Mode::On);
    assert_eq!(config.kubernetes.kubeconfig, Some(PathBuf::from("/etc/tidewaiter/kubeconfig")));
    assert_eq!(config.kubernetes.node.as_deref(), Some("node-1"));
    assert_eq!(config.containers.storage, ContainerRoots::default().storage);
    assert_eq!(config.control, Some(PathBuf::from("/run/other/agent.sock")));
    assert_eq!(parse("control: null\n").unwrap().control, None);
    let redact = |text: &str| parse(text).unwrap().redact;
    assert_eq!(redact("redact: {off: true}\n").off, Off::All);
    assert_eq!(redact("redact: {off: [jwt, cookie, jwt]}\n").off, Off::Forms(vec![Form::Jwt, Form::Cookie]));
    let own = redact("redact: {digest: false, patterns: [{name: ticket, regex: 'TKT-[0-9]+'}]}\n");
    assert_eq!((own.digest, own.patterns[0].name()), (false, "ticket"));
    let names: Vec<_> = config.targets(true).iter().map(Target::name).collect();
    assert_eq!(
        names,
        [
            "stdout",
            "syslog tcp://h:6514",
            "syslog unix:///dev/log",
            "webhook http://h:80/a",
            "otlp grpc://h:4317",
            "otlp http://h:4318/v1/logs",
            "kafka kafka://h:9092,g:1/t",
            "kafka kafkas://h:9093/t as cef",
        ]
    );
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, line, column, reason) in [
        ("log: info\nfromat: json\n", 2, 1, "fromat"),
        ("story:\n  gather: soon\n", 2, 3, "from 0 to 60000"),
        ("story:\n  gather: 99999999\n", 2, 3, "from 0 to 60000"),
        (
            "syslog:\n  - udp://h:1\n  - ftp://h:1\n",
            3,
            5,
            "none of udp, tcp, tls, relp, relps, unix, journal",
        ),
        ("syslog:\n  - {url: \"tcp://h:1\", ca: /a}\n", 2, 5, "`ca` says how to trust tcp://h:1"),
        ("syslog:\n  - url: tls://h\n    verify: false\n", 3, 5, "verify"),
        ("webhook:\n  - {url: \"https://h\", tokenfile: /a}\n", 2, 24, "tokenfile"),
        ("kafka:\n  - kafka://h:1\n", 2, 5, "names no topic"),
        ("otlp:\n  - udp://h:1\n", 2, 5, "write http://HOST:PORT or https://HOST:PORT"),
        ("redact: {off: [jwtt]}\n", 1, 16, "`jwtt` is no form of secrets; these are: option, flag"),
        ("redact:\n  off: some\n", 2, 3, "`true` for all known forms of secrets, or a list of their names"),
        ("redact:\n  patterns:\n    - {name: a, regex: '(x'}\n", 3, 7, "unclosed group"),
        ("redact:\n  patterns:\n    - {name: A, regex: x}\n", 3, 7, "`A` is no name for a pattern"),
        ("redact: {of: true}\n", 1, 10, "of"),
        ("embedded_rules: yes please\n", 1, 17, "invalid boolean"),
        ("format: xml\n", 1, 9, "xml"),
        ("log: [\n", 1, 6, "expected scalar"),
    ] {
        let error = parse(text).expect_err(text);
        let excerpt = error.excerpt().expect(text);
        assert_eq!((excerpt.line, excerpt.column), (line, column), "{text}: {error}");
        println!("{error}\n{}", excerpt.render(false));
        assert!(error.to_string().contains(reason), "{text}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn the_excerpt_shows_the_line_and_a_caret() {
    let error = parse("log: info\nfromat: json\n").unwrap_err();
    let excerpt = error.excerpt().unwrap().render(false);
    assert!(excerpt.contains("fromat: json"), "{excerpt}");
    assert!(excerpt.contains("here"), "{excerpt}");
    assert!(excerpt.contains("tidewaiter.yaml:2:1"), "{excerpt}");
    assert!(!excerpt.contains('\u{1b}'), "{excerpt}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::read(Path::new("/nonexistent/tidewaiter.yaml")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read /nonexistent/tidewaiter.yaml:"), "{error}");
}

#[test]
fn auto_is_text_on_a_terminal_only() {
    assert_eq!(FormatChoice::Auto.resolve(true), Format::Text);
    assert_eq!(FormatChoice::Auto.resolve(false), Format::Json);
    assert_eq!(FormatChoice::Text.resolve(false), Format::Text);
    assert_eq!(FormatChoice::Json.resolve(true), Format::Json);
}

#[test]
fn fuzzed_texts_are_a_configuration_or_refused() {
    let seeds = [
        include_bytes!("../../../deploy/tidewaiter.yaml")[..3_000].to_vec(),
        b"syslog:\n  - {url: \"tls://h:1\", format: cef, ca: /a, fingerprint: \"sha256:00\"}\n  - udp://h\nfile: [{path: /x, \
          mebibytes: 3, keep: 2, format: ocsf}]\noutbox: {directory: null, mebibytes: 64}\n"
            .to_vec(),
    ];
    crate::fuzz::run(&seeds, |bytes, _| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(config) = Config::parse(&text, Path::new("fuzzed.yaml")) {
            assert!(!config.targets(false).is_empty());
        }
    });
}
