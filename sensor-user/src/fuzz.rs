//! Random and mutated bytes for whatever meets bytes from outside.
//!
//! Each target is a test whose name begins with `fuzzed_`, beside what it tries. `TIDEWAITER_FUZZ` says how many cases
//! each takes; an ordinary run takes a few. All come from a seed, `TIDEWAITER_FUZZ_SEED`, so that a failure comes again:
//!
//! ```console
//! $ TIDEWAITER_FUZZ=10000000 cargo test --release --package sensor-user --lib fuzzed_
//! ```

/// Cases of an ordinary run.
const CASES: u64 = 2_000;
/// No case is longer, bytes.
const LENGTH_MAX: usize = 4_096;

/// Values that lie at the edges of what lengths and counts can say.
const EDGES: [u8; 8] = [0, 1, 0x20, 0x22, 0x5c, 0x7f, 0x80, 0xff];

/// xorshift64*.
pub(crate) struct Dice(u64);

impl Dice {
    /// Less than `sides`, which is not zero.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % sides
    }

    fn byte(&mut self) -> u8 {
        match self.roll(3) {
            0 => EDGES[self.roll(EDGES.len())],
            _ => u8::try_from(self.roll(256)).unwrap(),
        }
    }
}

/// Tells the case that failed.
struct Case<'a>(&'a [u8], u64);

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("case {}: {:?}", self.1, String::from_utf8_lossy(self.0));
            println!(
                "in hexadecimal: {}",
                self.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
            );
        }
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Calls back with each case: mutations of the seeds, and one in eight with nothing but chance in it.
pub(crate) fn run(seeds: &[Vec<u8>], mut each: impl FnMut(&[u8], &mut Dice)) {
    let mut dice = Dice(number("TIDEWAITER_FUZZ_SEED", 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for case in 0..number("TIDEWAITER_FUZZ", CASES) {
        let mut bytes = if seeds.is_empty() || dice.roll(8) == 0 {
            (0..dice.roll(200)).map(|_| dice.byte()).collect()
        } else {
            seeds[dice.roll(seeds.len())].clone()
        };
        for _ in 0..dice.roll(8) {
            mutate(&mut bytes, seeds, &mut dice);
        }
        bytes.truncate(LENGTH_MAX);
        let case = Case(&bytes, case);
        each(case.0, &mut dice);
    }
}

fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.roll(bytes.len() + 1);
    let end = (at + dice.roll(1 + 16.min(bytes.len() - at))).min(bytes.len());
    match dice.roll(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
        1 if at < bytes.len() => bytes[at] = dice.byte(),
        2 => bytes.insert(at, dice.byte()),
        3 => drop(bytes.drain(at..end)),
        4 => bytes.truncate(at),
        5 => {
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        _ if !seeds.is_empty() => {
            let other = &seeds[dice.roll(seeds.len())];
            let from = dice.roll(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        _ => {}
    }
}
