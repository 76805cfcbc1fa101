//! How fast the engine is, and how its cost grows with the rules: `cargo bench -p sigma`.
//!
//! Rates are records per second on one core. `SIGMA_RULES` names the folder of the public rules; without it
//! the benchmarks that need them say so and measure nothing. `cargo bench -p sigma -- load` measures loading.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement stops where it cannot go on, and tells people its figures"
)]
#![expect(unreachable_pub, reason = "modules of one program: nobody outside can use them anyway")]

mod random;
mod host;
mod kind;
mod event;
mod rule;

use std::hint::black_box;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use sigma::{Engine, Matches, Source};

use event::Exec;
use host::Host;

/// Says what loading takes, and would say if matching took any.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// Records of one round.
const RECORDS: usize = 20_000;
const SEED: u64 = 5;
/// Rounds of which the best is told.
const ROUNDS: usize = 5;

fn main() {
    divan::main();
}

/// One round over the records; the number of matches is what keeps it from being left out.
fn round(engine: &mut Engine, records: &[Exec], found: &mut Matches) -> usize {
    let matches = |record: &Exec| {
        engine.evaluate(record, found);
        found.matched.len()
    };
    records.iter().map(matches).sum()
}

/// Records per second of this thread's own time, in the best of some rounds: what a busy machine takes away from
/// the program does not count, unlike in the table.
fn cpu_rate(engine: &mut Engine, records: &[Exec], found: &mut Matches) -> f64 {
    let now =
        || Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)).unwrap();
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = now();
        black_box(round(engine, records, found));
        best = best.min(now() - start);
    }
    f64::from(u32::try_from(records.len()).unwrap()) / best.as_secs_f64()
}

fn measure(bencher: Bencher<'_, '_>, host: &Host, sources: &[Source], records: &[Exec]) {
    let mut engine = Engine::new(host.load(sources));
    let mut found = Matches::default();
    let matches = round(&mut engine, records, &mut found);
    let runs = engine.costs().iter().map(|cost| cost.runs).sum::<u64>();
    let rate = cpu_rate(&mut engine, records, &mut found);
    println!(
        "  {} rules, {} records: {runs} runs, {matches} matches; {rate:.0} records per second of CPU",
        engine.rules().len(),
        records.len()
    );
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| round(&mut engine, records, &mut found));
}

/// Public rules for program starts on Linux.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn public_process_rules(bencher: Bencher<'_, '_>) {
    let Some(sources) = host::public_rules() else { return };
    let host = Host::default();
    measure(bencher, &host, &host::linux_process_rules(&sources), &event::execs(&host, RECORDS, SEED));
}

/// All public rules: only those of the record's log source are looked at.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn public_rules(bencher: Bencher<'_, '_>) {
    let Some(sources) = host::public_rules() else { return };
    let host = Host::default();
    measure(bencher, &host, &sources, &event::execs(&host, RECORDS, SEED));
}

/// All public rules, as if all of them were for the same records.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn public_rules_unrouted(bencher: Bencher<'_, '_>) {
    let Some(sources) = host::public_rules() else { return };
    let host = Host::unrouted();
    measure(bencher, &host, &sources, &event::execs(&host, RECORDS, SEED));
}

#[divan::bench(args = [10, 100, 1_000, 10_000], sample_count = 10, sample_size = 1)]
fn made_up_rules(bencher: Bencher<'_, '_>, rules: usize) {
    let host = Host::default();
    measure(bencher, &host, &rule::rules(rules, SEED), &event::execs(&host, RECORDS, SEED));
}

/// Command lines of 8 KiB.
#[divan::bench(args = [100, 1_000], sample_count = 5, sample_size = 1)]
fn long_command_lines(bencher: Bencher<'_, '_>, rules: usize) {
    let host = Host::default();
    measure(bencher, &host, &rule::rules(rules, SEED), &event::long_execs(&host, 1_000, 8 << 10, SEED));
}

/// A hundred rules that nothing but a regular expression decides.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn regular_expressions(bencher: Bencher<'_, '_>) {
    let host = Host::default();
    measure(bencher, &host, &rule::regex_rules(100, SEED), &event::execs(&host, 2_000, SEED));
}

/// A hundred rules that every record is a candidate of.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn common_words(bencher: Bencher<'_, '_>) {
    let host = Host::default();
    measure(bencher, &host, &rule::common_rules(100, SEED), &event::execs(&host, RECORDS, SEED));
}

#[divan::bench(args = [100, 1_000, 10_000], sample_count = 2, sample_size = 1)]
fn load(bencher: Bencher<'_, '_>, rules: usize) {
    let host = Host::default();
    let sources = rule::rules(rules, SEED);
    bencher.bench_local(|| host.load(&sources).rules().len());
}

#[divan::bench(sample_count = 2, sample_size = 1)]
fn load_public_rules(bencher: Bencher<'_, '_>) {
    let Some(sources) = host::public_rules() else { return };
    let host = Host::default();
    bencher.bench_local(|| host.load(&sources).rules().len());
}
