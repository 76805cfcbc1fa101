//! What can be typed, what it means, and how failures are told.

use clap::CommandFactory;

use super::*;
use crate::event::field::Category;
use crate::event::selection::{Root, Selection};

fn run(arguments: &[&str]) -> RunOptions {
    let cli = Cli::try_parse_from([&["tidewaiter", "run"], arguments].concat()).unwrap();
    let Command::Run(options) = cli.command else { panic!("{cli:?}") };
    options
}

#[test]
fn the_definitions_agree_with_themselves() {
    Cli::command().debug_assert();
}

#[test]
fn nothing_typed_is_the_default() {
    // This machine may have one in /etc.
    assert_eq!(run(&["--no-config"]).config().unwrap(), Config::default());
}

#[test]
fn what_is_typed_wins_and_lists_add() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidewaiter.yaml");
    std::fs::write(
        &path,
        "format: json\nlog: warn\nsyslog: [udp://a:1]\nrules: [/a]\nembedded_rules: true\n",
    )
    .unwrap();
    let config = run(&[
        "--config",
        path.to_str().unwrap(),
        "--format",
        "text",
        "--syslog",
        "tcp://b:2",
        "--syslog",
        "unix:///dev/log",
        "--facility",
        "local0",
        "--rules",
        "/b",
        "--no-embedded-rules",
    ])
    .config()
    .unwrap();
    assert_eq!(config.format, FormatChoice::Text);
    assert_eq!(config.log, LogLevel::Warn);
    assert_eq!(config.facility, Facility::Local0);
    let receivers: Vec<_> = config.syslog.iter().map(|receiver| receiver.target.to_string()).collect();
    assert_eq!(receivers, ["udp://a:1", "tcp://b:2", "unix:///dev/log"]);
    assert_eq!(config.rules, [PathBuf::from("/a"), PathBuf::from("/b")]);
    assert!(!config.embedded_rules);
}

#[test]
fn events_are_chosen_and_no_rule_is_read() {
    let words = "tidewaiter events --no-config --category file_event --category dns_query --container web-1 --tree-of 7";
    let Command::Events(options) = Cli::try_parse_from(words.split(' ')).unwrap().command else {
        panic!("another command")
    };
    let config = options.config().unwrap();
    assert!(!config.embedded_rules && config.rules.is_empty() && config.syslog.is_empty());
    let expected = Selection {
        categories: vec![Category::FileEvent, Category::DnsQuery],
        container: Some("web-1".to_owned()),
        process: Some(Root::Tree(7)),
    };
    assert_eq!(options.selection(), expected);
}

#[test]
fn mistakes_in_usage_end_with_two() {
    for arguments in [
        &["tidewaiter", "events", "--category", "registry_event"][..],
        &["tidewaiter", "events", "--pid", "1", "--tree-of", "2"],
        &["tidewaiter", "events", "--pid", "0"],
        &["tidewaiter", "run", "--syslog", "127.0.0.1"][..],
        &["tidewaiter", "run", "--nonsense"],
        &["tidewaiter", "watch"],
        &["tidewaiter", "verify"],
        &["tidewaiter", "baseline", "learn", "--for", "10", "--out", "x"],
        &["tidewaiter", "rules", "check"],
        &["tidewaiter", "rules", "explain", "curl_download"],
        &["tidewaiter", "rules", "test", "--nonsense"],
    ] {
        let error = Cli::try_parse_from(arguments).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
    }
}

#[test]
fn a_bad_receiver_is_told_with_the_remedy() {
    let error = Cli::try_parse_from(["tidewaiter", "run", "--syslog", "loghost"]).unwrap_err().to_string();
    assert!(error.contains("it has no scheme; write udp://HOST:PORT"), "{error}");
}

#[test]
fn help_tells_the_exit_status_and_examples() {
    let mut command = Cli::command();
    let help = command.render_help().to_string();
    assert!(help.contains("2  it could not run"), "{help}");
    let run = command.find_subcommand_mut("run").unwrap().render_help().to_string();
    for word in ["Examples:", "--syslog <RECEIVER>", "Exit status:", "jq"] {
        assert!(run.contains(word), "{word}: {run}");
    }
}

#[test]
fn each_command_about_rules_tells_its_status_and_examples() {
    let mut command = Cli::command();
    let rules = command.find_subcommand_mut("rules").unwrap();
    for (name, words) in [
        ("list", &["--config <FILE>"][..]),
        ("check", &["<PATH>...", "--json", "jq", "standard input"]),
        ("test", &["[PATH]...", "events/miss.jsonl", "millisecond"]),
        ("explain", &["<RULE>", "<EVENT>", "--rules <PATH>", "✘"]),
    ] {
        let help = rules.find_subcommand_mut(name).unwrap().render_long_help().to_string();
        for word in words.iter().chain(&["Examples:", "Exit status:"]) {
            assert!(help.contains(word), "{name}: {word}: {help}");
        }
    }
}

#[test]
fn verify_tells_its_status_and_examples() {
    let mut command = Cli::command();
    let help = command.find_subcommand_mut("verify").unwrap().render_long_help().to_string();
    for word in [
        "<FILE>...",
        "--from-start",
        "--json",
        "standard input",
        "Examples:",
        "zcat",
        "Exit status:",
        "damaged",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[test]
fn a_failure_names_the_reason_the_place_and_the_remedy() {
    let error = Config::parse("# a comment\nnonsense: 1\n", "/etc/t.yaml".as_ref()).unwrap_err();
    let told = Failure::from(error).render(false);
    let mut lines = told.lines();
    let first = lines.next().unwrap();
    assert!(
        first.starts_with("tidewaiter: cannot use the configuration: /etc/t.yaml:2:1: unknown field"),
        "{told}"
    );
    assert!(told.contains("2 │ nonsense: 1"), "{told}");
    assert!(lines.next_back().unwrap().starts_with("  help: every key"), "{told}");
}
