//! libFuzzer's side of `load`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigma_fuzz::clock::Clock;
use sigma_fuzz::load;

fuzz_target!(|data: &[u8]| {
    load::check(data, Clock::OPTIMISED);
});
