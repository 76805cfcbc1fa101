//! What is told of the kernel half's books.

use super::*;

struct Paper;

impl Owner for Paper {
    fn container(&self, cgroup_id: u64) -> Option<Arc<Container>> {
        use crate::state::container::{CgroupIdentity, Runtime};
        let identity = CgroupIdentity {
            id: format!("c{cgroup_id}"),
            runtime: Runtime::Docker,
            pod_uid: None,
            outer: vec![],
            user: None,
        };
        (cgroup_id > 1).then(|| Arc::new(Container::from_cgroup(&identity)))
    }

    fn program(&self, pid: u32) -> Option<String> {
        (pid == 5).then(|| "make".to_owned())
    }

    fn date(&self, time: u64) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(time)).expect("in range")
    }
}

const SECOND: u64 = 1_000_000_000;
const CONNECT: Kind = Kind::NetworkConnect;
const OPEN: Kind = Kind::FileOpen;

fn counter(delivered: u64, aggregated: u64, lost: u64) -> Counter {
    Counter { generated: delivered + aggregated + lost, delivered, aggregated, lost, ..Counter::default() }
}

fn account(cgroup_id: u64, kind: Kind, aggregated: u64, lost: u64) -> (AccountKey, Account) {
    let key = AccountKey { cgroup_id, kind: kind as u32, reserved: 0 };
    (key, Account { aggregated, lost, ..Account::default() })
}

fn aggregate(cgroup_id: u64, kind: Kind, epoch: u32, port: u16, count: u64) -> (AggregateKey, u64) {
    let mut address = [0; 16];
    address[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 2]);
    let key =
        AggregateKey { cgroup_id, address, epoch, pid: 0, kind: kind as u16, protocol: 6, port, reserved: 0 };
    (key, count)
}

fn look(time: u64, counters: &[(Kind, Counter)], accounts: &[(AccountKey, Account)]) -> Look {
    let (counters, accounts) = (counters.to_vec(), accounts.to_vec());
    Look { time, counters, accounts, epoch: Books::epoch(time), ..Look::default() }
}

fn rows(losses: &[Loss]) -> Vec<(&str, u64, Option<&str>)> {
    losses
        .iter()
        .map(|loss| (loss.what.as_str(), loss.count, loss.container.as_ref().map(|it| it.id.as_str())))
        .collect()
}

#[test]
fn a_loss_says_whose_it_is_and_when() {
    let mut books = Books::default();
    assert!(books.losses(&look(SECOND, &[(CONNECT, counter(5, 0, 0))], &[]), &Paper).is_empty());
    let counters = [(CONNECT, counter(5, 0, 12)), (OPEN, counter(0, 0, 1))];
    assert!(books.has_news(&counters));
    let accounts = [account(7, CONNECT, 0, 10), account(1, CONNECT, 0, 2), account(7, OPEN, 0, 1)];
    let losses = books.losses(&look(3 * SECOND, &counters, &accounts), &Paper);
    let expected =
        [("network_connect", 10, Some("c7")), ("network_connect", 2, None), ("file_open", 1, Some("c7"))];
    assert_eq!(rows(&losses), expected);
    let window = losses.first().and_then(|loss| loss.window).expect("it has one");
    assert_eq!((window.from, window.to), (Paper.date(SECOND), Paper.date(3 * SECOND)));
    assert!(!books.has_news(&counters), "told");
    assert!(books.losses(&look(5 * SECOND, &counters, &accounts), &Paper).is_empty());
}

#[test]
fn the_accounts_are_never_told_for_more_than_the_books() {
    let mut books = Books::default();
    // Read a moment later, when more was lost.
    let losses =
        books.losses(&look(SECOND, &[(CONNECT, counter(0, 0, 3))], &[account(7, CONNECT, 0, 9)]), &Paper);
    assert_eq!(rows(&losses), [("network_connect", 3, Some("c7"))]);
    let losses =
        books.losses(&look(SECOND, &[(CONNECT, counter(0, 0, 10))], &[account(7, CONNECT, 0, 9)]), &Paper);
    assert_eq!(rows(&losses), [("network_connect", 6, Some("c7")), ("network_connect", 1, None)]);
}

#[test]
fn many_losers_are_summed_up() {
    let accounts: Vec<_> = (2..100).map(|cgroup_id| account(cgroup_id, CONNECT, 0, 1)).collect();
    let losses = Books::default().losses(&look(SECOND, &[(CONNECT, counter(0, 0, 98))], &accounts), &Paper);
    assert_eq!(losses.len(), ROWS_MAX + 1);
    assert_eq!(losses.iter().map(|loss| loss.count).sum::<u64>(), 98);
}

#[test]
fn a_record_without_a_fate_is_told_when_it_stays() {
    let mut books = Books::default();
    let off = Counter { generated: 9, delivered: 7, ..Counter::default() };
    let at = |counter| look(SECOND, &[(CONNECT, counter)], &[]);
    assert!(books.losses(&at(off), &Paper).is_empty(), "it may be on its way");
    let losses = books.losses(&at(off), &Paper);
    assert_eq!(rows(&losses), [("network_connect", 2, None)]);
    assert!(losses.iter().all(|loss| loss.reason.contains("defect")));
    assert!(books.losses(&at(off), &Paper).is_empty(), "once");
}

#[test]
fn what_was_counted_is_told_when_its_epoch_is_over() {
    let mut books = Books::default();
    let time = 12 << EPOCH_SHIFT;
    let mut now = look(time, &[(CONNECT, counter(0, 40, 0))], &[account(7, CONNECT, 40, 0)]);
    assert_eq!(now.epoch, 11, "this one and the one before may still grow");
    now.aggregates = vec![
        aggregate(7, CONNECT, 9, 80, 10),
        aggregate(7, CONNECT, 10, 80, 5),
        aggregate(7, CONNECT, 11, 80, 20),
        aggregate(7, CONNECT, 10, 443, 5),
    ];
    let told = books.aggregates(&now, &Paper);
    let told: Vec<_> = told.iter().map(|row| (row.count, &row.target, row.container.is_some())).collect();
    let place = |port| {
        let address = IpAddr::from([10, 0, 0, 2]);
        Target::Destination(Place { protocol: crate::event::Protocol::Tcp, address, port, name: None })
    };
    assert_eq!(told, [(15, &place(80), true), (5, &place(443), true)]);
    let mut last = look(time, &[(CONNECT, counter(0, 40, 0))], &[account(7, CONNECT, 40, 0)]);
    last.epoch = u32::MAX;
    last.aggregates = vec![aggregate(7, CONNECT, 11, 80, 20)];
    assert_eq!(books.aggregates(&last, &Paper).iter().map(|row| row.count).sum::<u64>(), 20);
}

#[test]
fn what_found_no_row_is_told_of_its_container() {
    let mut books = Books::default();
    let time = 12 << EPOCH_SHIFT;
    let accounts = [account(7, CONNECT, 900_000, 0), account(8, CONNECT, 100, 0)];
    let mut now = look(time, &[(CONNECT, counter(0, 900_100, 0))], &accounts);
    now.aggregates = (1..=10_000).map(|port| aggregate(7, CONNECT, 9, port, 3)).collect();
    let told = books.aggregates(&now, &Paper);
    let told: Vec<_> = told
        .iter()
        .map(|row| (row.count, &row.target, row.container.as_ref().map(|it| it.id.as_str())))
        .collect();
    let expected = [(900_000, &Target::Others, Some("c7")), (100, &Target::Others, Some("c8"))];
    assert_eq!(told, expected, "no port stands out");
}

#[test]
fn a_process_is_named() {
    let (mut key, count) = aggregate(1, OPEN, 2, 0, 4);
    (key.pid, key.address) = (5, [0; 16]);
    let mut now = look(12 << EPOCH_SHIFT, &[(OPEN, counter(0, 4, 0))], &[]);
    now.aggregates = vec![(key, count)];
    let told = Books::default().aggregates(&now, &Paper);
    let target = Target::Process { pid: 5, program: Some("make".to_owned()) };
    assert_eq!(told.iter().map(|row| &row.target).collect::<Vec<_>>(), [&target]);
}
