//! The fuzzer's cases on the stable tool chain: every seed, every input that once was a finding, and some
//! thousand seeded random ones. `cargo xtask fuzz` runs millions more, guided by coverage.

#![expect(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails; clippy.toml excuses the test functions, not what they call"
)]

#[expect(
    unreachable_pub,
    dead_code,
    clippy::panic,
    clippy::print_stderr,
    reason = "written for the fuzz targets, which are crates of their own, and whose findings are panics"
)]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::Path;

use fuzz::clock::Clock;
use fuzz::{correlate, load, matching};

/// Enough to meet every kind of mutation some hundred times, few enough for an unoptimised build.
const MUTATIONS: usize = 3000;
const MATCHES: usize = 600;
const STREAMS: usize = 300;
/// Bytes that a random rule and its records are made of.
const MATCH_BYTES: usize = 900;

/// SplitMix64: the same cases on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// Name and content of every file in a folder beside the fuzz targets.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

/// The words of libFuzzer's dictionary.
fn dictionary() -> Vec<Vec<u8>> {
    let unescaped = |word: &str| {
        let mut out = Vec::new();
        let mut rest = word.as_bytes();
        while let [first, after @ ..] = rest {
            (out, rest) = match (first, after) {
                (b'\\', [b'x', high, low, after @ ..]) => {
                    let digits = [*high, *low];
                    let byte = u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap();
                    ([out, vec![byte]].concat(), after)
                }
                (b'\\', [escaped, after @ ..]) => ([out, vec![*escaped]].concat(), after),
                (plain, after) => ([out, vec![*plain]].concat(), after),
            };
        }
        out
    };
    let text = include_str!("../fuzz/dictionary.txt");
    let words = text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    words.map(unescaped).collect()
}

/// A text with one thing changed: a byte, a word put in, a part cut out, doubled, or taken from another seed.
fn mutated(random: &mut Random, text: &mut Vec<u8>, seeds: &[(String, Vec<u8>)], words: &[Vec<u8>]) {
    let at = random.below(text.len() + 1);
    let end = (at + 1 + random.below(60)).min(text.len());
    match random.below(6) {
        0 if at < text.len() => text[at] = random.next().to_le_bytes()[0] & 0x7f,
        1 => _ = text.splice(at..at, words[random.below(words.len())].iter().copied()),
        2 => _ = text.drain(at.min(end)..end),
        3 => {
            let part = text[at.min(end)..end].to_vec();
            text.splice(at..at, part);
        }
        4 => {
            let other = &seeds[random.below(seeds.len())].1;
            let from = random.below(other.len());
            let part = other[from..(from + random.below(200)).min(other.len())].to_vec();
            text.splice(at..end.max(at), part);
        }
        _ => {
            let (count, from, to) = (random.below(16), random.below(256), random.below(256));
            let head = [count, from, to].map(|part| u8::try_from(part).unwrap());
            text.splice(0..0, [load::REPEAT].into_iter().chain(head));
        }
    }
}

#[test]
fn seeds_are_understood() {
    let seeds = files("seed");
    assert!(seeds.len() >= 7, "the seeds are not where they were");
    for (name, seed) in seeds {
        assert!(load::check(&seed, Clock::UNOPTIMISED), "{name}");
    }
}

#[test]
fn findings_of_old_stay_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regression");
    for target in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap())
    {
        for (name, input) in files(&format!("regression/{target}")) {
            println!("{name}");
            match target.as_str() {
                "load" => _ = load::check(&input, Clock::UNOPTIMISED),
                "match" => _ = matching::check(&input, Clock::UNOPTIMISED),
                "correlate" => _ = correlate::check(&input, Clock::UNOPTIMISED),
                other => panic!("there is no target {other}"),
            }
        }
    }
}

#[test]
fn texts_that_were_almost_rules_are_refused_in_their_place() {
    let (seeds, words) = (files("seed"), dictionary());
    let mut random = Random(1);
    let mut understood = 0;
    for _ in 0..MUTATIONS {
        let mut text = seeds[random.below(seeds.len())].1.clone();
        for _ in 0..=random.below(3) {
            mutated(&mut random, &mut text, &seeds, &words);
        }
        understood += usize::from(load::check(&text, Clock::UNOPTIMISED));
    }
    assert!(understood > MUTATIONS / 100, "only {understood} of {MUTATIONS} were understood");
    assert!(
        understood < MUTATIONS / 2,
        "{understood} of {MUTATIONS} were understood: hardly any was refused"
    );
}

#[test]
fn random_rules_agree_with_their_opposites_their_neighbours_and_their_future() {
    let mut random = Random(2);
    let mut seen = matching::Seen::default();
    for _ in 0..MATCHES {
        let case = random.bytes(MATCH_BYTES);
        seen = seen.plus(matching::check(&case, Clock::UNOPTIMISED));
    }
    println!("{seen:?}");
    for (what, count) in [("true", seen.yes), ("false", seen.no), ("unknown", seen.unknown)] {
        assert!(count > MATCHES / 20, "only {count} answers are {what}");
    }
    assert!(seen.rules > seen.refused / 2, "most random rules are refused: {seen:?}");
}

#[test]
fn random_correlations_keep_their_bounds() {
    let mut random = Random(3);
    let mut seen = correlate::Seen::default();
    for _ in 0..STREAMS {
        let case = random.bytes(MATCH_BYTES);
        seen = seen.plus(correlate::check(&case, Clock::UNOPTIMISED));
    }
    println!("{seen:?}");
    assert!(seen.sets > STREAMS / 4, "most random correlations are refused: {seen:?}");
    assert!(seen.told > STREAMS / 4 && seen.open > STREAMS / 4, "{seen:?}");
}
