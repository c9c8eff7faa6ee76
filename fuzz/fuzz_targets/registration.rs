#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iotx_fuzz::run("registration", data));
