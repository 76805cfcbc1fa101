//! libFuzzer's side of `matching`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigma_fuzz::clock::Clock;
use sigma_fuzz::matching;

fuzz_target!(|data: &[u8]| {
    matching::check(data, Clock::OPTIMISED);
});
