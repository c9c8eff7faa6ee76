//! Fuzz targets as plain functions: bytes in, a panic when a rule is broken.
//!
//! libFuzzer calls them (`fuzz_targets/`), the driver here does where libFuzzer cannot be built, and the
//! tests of the library do, over the corpus and a fixed number of mutations. docs/testing.md says how.

pub mod driver;
mod input;
mod port;
mod reference;
mod targets;

use targets::*;

/// One thing to fuzz.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name; the corpus lies in `fuzz/corpus/NAME`.
    pub name: &'static str,
    /// Runs one input. Panics, or faults under a sanitizer, when it found something.
    pub run: fn(&[u8]),
    /// Longest input that makes sense, bytes.
    pub max_len: usize,
    /// Inputs tried by the test of the library besides the corpus.
    pub smoke: u32,
}

/// All of them.
pub const TARGETS: [Target; 16] = [
    target("client", client::run, 2048, 32_000),
    target("engine", engine::run, 2048, 400_000),
    target("frames", frames::run, 2048, 480_000),
    target("handshake", handshake::run, 4096, 6_000),
    target("host", host::run, 512, 2_000_000),
    target("identity", identity::run, 1024, 360_000),
    target("ioctl", ioctl::run, 1024, 160_000),
    target("json", json::run, 2048, 600_000),
    target("kv", kv::run, 2048, 20_000),
    target("pem", pem::run, 8192, 80_000),
    target("record", record::run, 512, 200_000),
    target("registration", registration::run, 2048, 30_000),
    target("sign", sign::run, 512, 200_000),
    target("topic", topic::run, 512, 1_500_000),
    target("url", url::run, 512, 600_000),
    target("websocket", websocket::run, 1024, 400_000),
];

const fn target(name: &'static str, run: fn(&[u8]), max_len: usize, smoke: u32) -> Target {
    Target {
        name,
        run,
        max_len,
        smoke,
    }
}

/// The target called `name`.
pub fn by_name(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

/// Runs one input of the target called `name`.
pub fn run(name: &str, data: &[u8]) {
    let target = by_name(name).expect("a target of the list");
    (target.run)(data);
}
