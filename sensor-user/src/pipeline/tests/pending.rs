//! A container's name arrives late: alerts go out in time and are told again with it, and what depends on it
//! is decided when it is known.

use super::*;
use crate::state::container::CgroupIdentity;

const SECOND: u64 = 1000 * MILLISECOND;
const START: u64 = 5000 * SECOND;

/// All of a container's answer.
fn named(image: &str) -> Container {
    let identity =
        CgroupIdentity { id: ID.to_owned(), runtime: Runtime::Docker, pod_uid: None, outer: Vec::new() };
    Container {
        name: Some("web".to_owned()),
        image: Some(image.to_owned()),
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(&identity)
    }
}

/// Name and whether it amends, of each account.
fn told(accounts: &[Account]) -> Vec<(Option<&str>, bool)> {
    let name = |account: &Account| account.container.as_ref().map(|container| container.name.is_some());
    accounts
        .iter()
        .map(|account| (name(account).map(|is| if is { "named" } else { "unnamed" }), account.is_amendment))
        .collect()
}

#[test]
fn an_alert_goes_out_in_time_and_again_when_its_container_is_named() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", CURL), exit(START + 5 * MILLISECOND, 4)]);
    let first = pipeline.accounts(START + 200 * MILLISECOND);
    assert_eq!(told(&first), [(Some("unnamed"), false)], "it does not wait");
    assert!(pipeline.accounts(START + 20 * SECOND).is_empty(), "its story is over");
    pipeline.containers.complete(ID, named("shop/web:1"));
    let again = pipeline.accounts(START + 20 * SECOND);
    assert_eq!(told(&again), [(Some("named"), true)]);
    assert_eq!((again[0].number, again[0].time), (first[0].number, first[0].time));
    assert_eq!(again[0].steps, first[0].steps);
    pipeline.containers.complete(ID, named("shop/web:1"));
    assert!(pipeline.accounts(START + 21 * SECOND).is_empty(), "once for each arrival");
}

#[test]
fn what_is_named_while_it_gathers_is_told_once() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", CURL)]);
    assert!(pipeline.accounts(START + MILLISECOND).is_empty());
    pipeline.containers.complete(ID, named("shop/web:1"));
    assert!(pipeline.accounts(START + 2 * MILLISECOND).is_empty());
    assert_eq!(told(&pipeline.accounts(START + SECOND)), [(Some("named"), false)]);
    assert!(pipeline.accounts(START + 40 * SECOND).is_empty());
}

#[test]
fn a_story_that_goes_on_is_told_with_its_name_as_far_as_it_is_and_then_with_its_end() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", CURL)]);
    assert_eq!(told(&pipeline.accounts(START + SECOND)), [(Some("unnamed"), false)]);
    feed(&mut pipeline, [connect(START + 2 * SECOND, 4, 9, 80, 6)]);
    pipeline.containers.complete(ID, named("shop/web:1"));
    let again = pipeline.accounts(START + 3 * SECOND);
    assert_eq!(told(&again), [(Some("named"), true)]);
    assert_eq!(again[0].steps.len(), 2, "with the connection: {:?}", again[0].steps);
    assert!(pipeline.accounts(START + 4 * SECOND).is_empty());
    feed(&mut pipeline, [exit(START + 5 * SECOND, 4)]);
    let end = pipeline.accounts(START + 6 * SECOND);
    assert_eq!(told(&end), [(Some("named"), true)]);
    assert_eq!(end[0].steps.len(), 3);
}

#[test]
fn an_end_told_with_the_name_needs_no_amendment_more() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", CURL)]);
    assert_eq!(told(&pipeline.accounts(START + SECOND)), [(Some("unnamed"), false)]);
    feed(&mut pipeline, [exit(START + 2 * SECOND, 4)]);
    pipeline.containers.complete(ID, named("shop/web:1"));
    assert_eq!(told(&pipeline.accounts(START + 3 * SECOND)), [(Some("named"), true)], "both in one");
    assert!(pipeline.accounts(START + 40 * SECOND).is_empty());
}

/// Asks as the agent does, until nobody is asked any more.
fn give_up(pipeline: &mut Pipeline) {
    for step in 0..40 {
        assert!(pipeline.unnamed(START + step * SECOND, usize::MAX).len() < 2);
    }
}

#[test]
fn nothing_is_amended_when_no_runtime_knows_the_container() {
    let mut pipeline = pipeline();
    feed(&mut pipeline, [exec(START, 4, 1, "/usr/bin/curl", CURL), exit(START + 5 * MILLISECOND, 4)]);
    assert_eq!(pipeline.accounts(START + SECOND).len(), 1);
    give_up(&mut pipeline);
    assert!(pipeline.accounts(START + 41 * SECOND).is_empty());
    pipeline.containers.complete(ID, named("shop/web:1"));
    assert!(pipeline.accounts(START + 42 * SECOND).is_empty(), "and nothing is remembered of it");
}

#[test]
fn accounts_that_wait_are_bounded_and_counted() {
    let mut pipeline = pipeline();
    for number in 0..600_u32 {
        let pid = 1000 + number;
        let time = START + u64::from(number) * MILLISECOND;
        feed(&mut pipeline, [exec(time, pid, 1, "/usr/bin/curl", CURL), exit(time, pid)]);
    }
    assert_eq!(pipeline.accounts(START + 2 * SECOND).len(), 600);
    let dropped = || ("amendment with a container's name", 88);
    assert!(pipeline.dropped().contains(&dropped()), "{:?}", pipeline.dropped());
    pipeline.containers.complete(ID, named("shop/web:1"));
    assert_eq!(pipeline.accounts(START + 3 * SECOND).len(), 512);
}
