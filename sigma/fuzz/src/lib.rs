//! What each case of the fuzzer does. The targets of libFuzzer and a test of the stable tool chain
//! (`sigma/tests/fuzz_seed.rs`) call the same functions.
//!
//! A finding is a panic. Nothing here repairs, skips or forgives.

pub mod clock;
pub mod host;
pub mod load;
pub mod grammar;
pub mod matching;
pub mod correlate;
