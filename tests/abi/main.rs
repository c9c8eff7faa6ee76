//! C programs against the static library, compiled as C99 and as C++14.
//!
//! Each program of this folder runs in a process of its own, since the functions under test are
//! process-wide. They define some HAL functions themselves, as an application may.

mod rooms;

use std::path::{Path, PathBuf};
use std::process::Command;

fn library() -> PathBuf {
    let program = std::env::current_exe().expect("path of the test");
    let profile = program.ancestors().nth(2).expect("target/<profile>");
    let library = profile.join("deps/libiotx.a");
    if library.exists() {
        library
    } else {
        profile.join("libiotx.a")
    }
}

/// Builds `tests/abi/<name>.c` with one compiler and runs it.
fn run(name: &str, (compiler, standard): (&str, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}_{standard}"));
    let language = if standard.starts_with("c++") {
        "c++"
    } else {
        "c"
    };
    let output = Command::new(compiler)
        .arg(format!("-std={standard}"))
        .args([
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-g",
            "-pthread",
            "-I",
        ])
        .arg(root.join("include"))
        .args(["-x", language])
        .arg(root.join(format!("tests/abi/{name}.c")))
        .args(["-x", "none"])
        .arg(library())
        .args(["-ldl", "-lm", "-o"])
        .arg(&program)
        .output()
        .unwrap_or_else(|error| panic!("the C tests need {compiler}: {error}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let output = Command::new(&program).output().expect("run");
    let (printed, complaints) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{}\n{printed}{complaints}",
        output.status
    );
    assert!(printed.contains("checks, 0 failed"), "{printed}");
}

macro_rules! programs {
    ($($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name), ("gcc", "c99"));
                run(stringify!($name), ("g++", "c++14"));
            }
        )+
    };
}

programs! { events settings helpers console }
