//! What a rule depends on: the fields it asks for, by whatever modifier, and those a correlation joins by.

use super::*;

const RULES: &str = "\
title: A
name: a
logsource: {category: process_creation}
detection:
  one: {Image|endswith: /curl, CommandLine|re: '-o .+', User|fieldref: LogonId}
  two: {ParentImage|exists: true}
  condition: one and not two
---
title: B
name: b
logsource: {category: network_connection}
detection:
  keywords: [evil]
  condition: keywords
---
title: C
correlation:
  type: value_count
  rules: [a, b]
  group-by: [ProcessId]
  timespan: 1m
  condition: {gte: 2, field: DestinationIp}
level: low
";

#[test]
fn a_rule_depends_on_all_that_it_asks_for_and_a_correlation_on_what_it_joins_by() {
    let set = RuleSet::load([Source::new("d.yml", RULES)], &Sysmon, &Placeholders::default()).unwrap();
    let names = |index| {
        let name = |field: FieldId| match FIELDS.get(usize::from(field.0)) {
            Some(name) => *name,
            None => "message",
        };
        let mut names: Vec<_> = set.fields(RuleIndex(index)).into_iter().map(name).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(0), ["CommandLine", "Image", "LogonId", "ParentImage", "User"]);
    assert_eq!(names(1), ["message"]);
    assert_eq!(names(2), ["DestinationIp", "ProcessId"]);
    assert_eq!(names(3), [""; 0]);
}
