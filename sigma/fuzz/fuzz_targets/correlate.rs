//! libFuzzer's side of `correlate`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigma_fuzz::clock::Clock;
use sigma_fuzz::correlate;

fuzz_target!(|data: &[u8]| {
    correlate::check(data, Clock::OPTIMISED);
});
