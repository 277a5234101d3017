//! The banks file: any bytes are a directory or are refused with words.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = ramz_router::check_banks(bytes) {
        assert!(!error.to_string().is_empty());
    }
});
