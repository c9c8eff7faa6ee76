//! Every fuzz target, briefly: its corpus, then a fixed number of mutations from a fixed seed. The targets
//! are those of `fuzz/`, where longer runs start (docs/testing.md).
#![allow(
    dead_code,
    reason = "the harness serves the fuzzers as well, which use what is unused here"
)]

#[path = "../fuzz/src/lib.rs"]
mod harness;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use harness::driver::{self, Until};

const SEED: u64 = 0x1074;

/// Runs one target; an input that fails is kept for a debugger.
fn smoke(name: &str) {
    let target = harness::by_name(name).expect("a target");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let corpus = driver::corpus(&folder);
    assert!(!corpus.is_empty(), "{} is empty", folder.display());
    let mut current = Vec::new();
    let run = catch_unwind(AssertUnwindSafe(|| {
        driver::drive(
            &target,
            &corpus,
            SEED,
            Until::Inputs(target.smoke),
            &mut current,
        )
    }));
    match run {
        Ok(count) => assert_eq!(count, corpus.len() as u64 + u64::from(target.smoke)),
        Err(panic) => {
            let kept =
                PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}.input"));
            std::fs::write(&kept, &current).expect("a writable folder");
            eprintln!("failing input: {}", kept.display());
            resume_unwind(panic);
        }
    }
}

macro_rules! smoke {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            smoke(stringify!($name));
        })+

        #[test]
        fn no_target_is_left_out() {
            let tested = [$(stringify!($name)),+];
            assert_eq!(harness::TARGETS.map(|target| target.name), tested);
        }
    };
}

smoke! { client engine frames handshake host identity ioctl json kv pem record registration sign topic url websocket }
