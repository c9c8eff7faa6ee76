//! C programs linked with the static library, partly under valgrind.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peer::Server;
use crate::pki::pki;

/// Compiles `tests/tls/client.c` with `defines`, links it with the static library.
fn build(name: &str, defines: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = target.join(format!("tls-{name}-{}", std::process::id()));
    // Cargo leaves the static library of the crate beside the test programs.
    let exe = std::env::current_exe().expect("own path");
    let library = exe.parent().expect("directory").join("libiotx.a");
    let output = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g"])
        .args(defines)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/client.c"))
        .arg(library)
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(&program)
        .output()
        .expect("cc");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    program
}

/// Runs and returns what was printed; fails if the exit status is not 0.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("program");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{text}\n{errors}",
        output.status
    );
    assert!(!text.contains("FAILED"), "{text}");
    text
}

fn valgrind(program: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--error-exitcode=9", "--leak-check=full"])
        .args(["--errors-for-leak-kinds=definite,indirect,possible"])
        .arg(program);
    command
}

#[test]
fn connection_with_a_client_certificate_is_clean_under_valgrind() {
    let p = pki();
    let root = p.path("root.pem");
    let server = Server::start(
        "server",
        "rsa.key",
        &[
            "-rev",
            "-Verify",
            "2",
            "-verify_return_error",
            "-CAfile",
            &root,
        ],
    );
    let program = build("identity", &["-DOWN_IDENTITY"]);
    let mut command = valgrind(&program);
    command.args(["localhost", &server.port.to_string(), &root]);
    command.args([p.path("device.pem"), p.path("rsa.key")]);
    let text = run(&mut command);
    assert_eq!(text.matches("ok establish").count(), 2, "{text}");
}

#[test]
fn refused_servers_are_clean_under_valgrind() {
    let server = Server::start("expired", "rsa.key", &["-rev"]);
    let program = build("plain", &[]);
    let output = valgrind(&program)
        .args([
            "localhost",
            &server.port.to_string(),
            &pki().path("root.pem"),
        ])
        .output()
        .expect("valgrind");
    let text = String::from_utf8_lossy(&output.stdout);
    // The program's own failure status, not valgrind's.
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(text.matches("FAILED establish").count(), 2, "{text}");
    assert_eq!(output.stderr.len(), 0, "something was printed or found");
}

#[test]
fn clock_policy_spares_dates_only() {
    let server = Server::start("server", "rsa.key", &["-rev"]);
    let program = build("clock", &["-DOWN_CLOCK"]);
    let mut command = Command::new(&program);
    command.args([
        "localhost",
        &server.port.to_string(),
        &pki().path("root.pem"),
    ]);
    let text = run(&mut command);
    for line in [
        "ok strict by default",
        "ok the name is still checked",
        "ok the chain is still",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("ok establish"), "{text}");
}

#[test]
fn clock_policy_ends_when_the_clock_is_set() {
    // The same policy with a clock that shows today: the expired server stays refused.
    use iotx::hal::tls::{self, ClockPolicy, Options, ServerName};
    let server = Server::start("expired", "rsa.key", &[]);
    let name = ServerName::parse("localhost").expect("host name");
    let mut options = Options::new(name, server.port, pki().read("root.pem").into_bytes());
    options.clock_policy = ClockPolicy::UntilClockSet;
    let failure = tls::connect(&options).err().expect("refused");
    assert!(failure.text.contains("expired 2024-01-31"), "{failure}");
}

#[test]
fn the_whole_group_can_be_replaced() {
    let text = run(&mut Command::new(build("own", &["-DOWN_TLS"])));
    assert_eq!(text.matches("ok ").count(), 5, "{text}");
}
