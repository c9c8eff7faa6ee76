//! `hal_check`: the default port passes, a port broken on purpose fails in the row it broke.

use std::path::Path;
use std::process::{Command, Output};

use crate::libraries::{self, SYSTEM_LIBRARIES, run, scratch, shipped};
use crate::platform::Platform;

const SOURCES: [&str; 6] = ["", "_os", "_tcp", "_tls", "_kv", "_peer"];

/// The program, with a port broken in one way or with the default port.
fn build(folder: &Path, broken: Option<&str>) {
    let mut cc = libraries::cc();
    for part in SOURCES {
        cc.arg(
            libraries::tree()
                .join("c_examples")
                .join(format!("hal_check{part}.c")),
        );
    }
    if let Some(broken) = broken {
        cc.arg(format!("-DBREAK_{broken}"))
            .arg(libraries::sources().join("broken.c"));
    }
    run(cc
        .arg(format!("-L{}", shipped().display()))
        // The program needs the default port only, and that stands on the core.
        .args(["-liotx_port", "-liotx_core"])
        .args(SYSTEM_LIBRARIES)
        .arg("-o")
        .arg(folder.join("hal_check")));
}

fn check(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(folder.join("hal_check"))
        .args(arguments)
        .current_dir(folder)
        .env("BROKEN_CA", arguments.last().copied().unwrap_or_default())
        .output()
        .expect("the program starts")
}

/// The rows of the table that start with `word`.
fn rows(output: &Output, word: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter(|line| line.starts_with(word))
        .map(|line| {
            line[11..]
                .split("  ")
                .next()
                .unwrap_or("")
                .trim()
                .to_owned()
        })
        .collect()
}

fn expect_failures(broken: &str, arguments: &[&str], expected: &[&str]) {
    let folder = scratch(&format!("broken-{broken}"));
    build(&folder, Some(broken));
    let output = check(&folder, arguments);
    assert_eq!(
        rows(&output, "FAIL"),
        expected,
        "{broken}: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(output.status.code(), Some(1), "{broken}");
    std::fs::remove_file(folder.join("hal_check")).expect("the program");
}

#[test]
fn default_port_passes() {
    let folder = scratch("check-default");
    build(&folder, None);
    let platform = Platform::start(&folder, &[]);
    let ca = platform.pki().join("root.crt");
    let output = check(
        &folder,
        &[
            "--tls",
            "localhost",
            &platform.port().to_string(),
            ca.to_str().expect("a path in UTF-8"),
        ],
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let whose = "HAL: os=default tcp=default tls=default kv=default data=default\n";
    assert!(text.starts_with(whose), "{text}");
    assert!(text.ends_with("37 passed, 0 failed\n"), "{text}");
    assert_eq!(rows(&output, "pass").len(), 37, "{text}");
}

#[test]
fn wrong_arguments() {
    let folder = scratch("check-arguments");
    build(&folder, None);
    for arguments in [
        &["--only", "udp"][..],
        &["--tls", "localhost", "1"],
        &["--tls", "localhost", "1", "/nonexistent"],
        &["os"],
    ] {
        assert_eq!(check(&folder, arguments).status.code(), Some(2));
    }
}

#[test]
fn broken_os() {
    for (broken, rows) in [
        ("MALLOC", &["memory"][..]),
        ("FREE", &["memory"]),
        ("UPTIME_STUCK", &["clock"]),
        ("UPTIME_SECONDS", &["clock"]),
        ("UPTIME_BACK", &["clock"]),
        ("SLEEP", &["sleep"]),
        ("RANDOM_CONSTANT", &["random bits"]),
        ("RANDOM_16_BITS", &["random bits"]),
        ("RANDOM_BOUND", &["random region"]),
        ("FORMAT", &["format"]),
        ("MUTEX", &["mutex"]),
        ("SEMAPHORE_TIMEOUT", &["semaphore time-out"]),
        ("SEMAPHORE_FOREVER", &["semaphore wake"]),
        ("SEMAPHORE_COUNT", &["semaphore count"]),
        ("THREAD", &["thread"]),
        ("VERSION", &["firmware version"]),
    ] {
        expect_failures(broken, &["--only", "os"], rows);
    }
}

#[test]
fn broken_tcp() {
    for (broken, rows) in [
        ("TCP_CLOSE", &["peer close"][..]),
        ("TCP_FILL", &["read fills", "read drip"]),
        ("TCP_PARTIAL", &["read partial"]),
        ("TCP_TIMEOUT", &["read time-out"]),
        ("TCP_NOTHING", &["read nothing"]),
        ("TCP_SIGPIPE", &["write closed"]),
        ("TCP_RELEASE", &["release"]),
        ("TCP_REFUSED", &["refused"]),
    ] {
        expect_failures(broken, &["--only", "tcp"], rows);
    }
}

/// A write that ignores its time-out never ends: the row's own limit ends it.
#[test]
fn broken_tcp_write() {
    expect_failures("TCP_WRITE_BLOCKS", &["--only", "tcp"], &["write time-out"]);
}

#[test]
fn broken_tls() {
    expect_failures(
        "SSL_ANYTHING",
        &["--only", "tls"],
        &["arguments", "no TLS", "peer close", "silent peer"],
    );
    let platform = Platform::start(&scratch("check-tls"), &[]);
    let ca = platform.pki().join("root.crt");
    let server = [
        "--only",
        "tls",
        "--tls",
        "localhost",
        &platform.port().to_string(),
        ca.to_str().expect("a path in UTF-8"),
    ];
    expect_failures("SSL_TRUST", &server, &["untrusted"]);
}

#[test]
fn broken_kv() {
    for (broken, rows) in [
        ("KV_SMALL_BUFFER", &["small buffer"][..]),
        ("KV_CUT", &["long values"]),
        ("KV_MISSING", &["set, get, delete"]),
        ("KV_RAM", &["persistence"]),
        ("KV_TORN", &["power cut"]),
    ] {
        expect_failures(broken, &["--only", "kv"], rows);
    }
    // A store in memory is a choice: without the rows on persistence it passes.
    let folder = scratch("check-ram");
    build(&folder, Some("KV_RAM"));
    let output = check(&folder, &["--only", "kv", "--ram-kv"]);
    assert!(output.status.success());
    assert_eq!(rows(&output, "pass").len(), 3);
}
