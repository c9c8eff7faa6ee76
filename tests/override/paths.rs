//! The contract path and the fast path give the same results, and so does a clock that wraps.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::libraries::{self, SYSTEM_LIBRARIES, run, scratch, shipped};
use crate::platform::Platform;

fn build(folder: &Path, path: Option<&str>) -> PathBuf {
    let program = folder.join(path.unwrap_or("default"));
    let mut cc = libraries::cc();
    cc.arg(libraries::sources().join("behaviour.c"));
    if let Some(path) = path {
        cc.arg(format!("-DPATH_{path}"))
            .arg(libraries::sources().join("port_paths.c"));
    }
    run(cc
        .arg(format!("-L{}", shipped().display()))
        .args(["-liotx_core", "-liotx_port"])
        .args(SYSTEM_LIBRARIES)
        .arg("-o")
        .arg(&program));
    program
}

/// What the program tells, with a platform of its own.
fn tell(name: &str, path: Option<&str>, transport: &str) -> String {
    let folder = scratch(name);
    let platform = Platform::start(&folder, &[]);
    let program = build(&folder, path);
    let (product_key, device_name, secret) = platform.device_with_secret();
    let port = match transport {
        "tls" => platform.port(),
        _ => platform.tcp_port(),
    };
    let output = run(Command::new(&program)
        .arg(transport)
        .args([port, platform.control_port()].map(|port| port.to_string()))
        .arg(platform.pki().join("root.crt"))
        .args([product_key, device_name, secret]));
    std::fs::remove_file(program).expect("the program");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn all_paths_tell_the_same() {
    let reference = tell("path-default-tls", None, "tls");
    for line in [
        "connect: yes",
        "subscribe: granted",
        "publish 3000 bytes, QoS 1: sent, acknowledged",
        "  received 3000 bytes, QoS 1, topic right, 0 wrong",
        "part 3: 0 messages so far",
        "yield 50: right",
        "yield 200: right",
        "yield 450: right",
        "  noticed: yes",
        "  back: yes",
        "disconnect: 0",
        "messages: 33",
    ] {
        assert!(
            reference.lines().any(|found| found == line),
            "{line}\n{reference}"
        );
    }
    assert_eq!(reference.matches(", 0 wrong").count(), 33, "{reference}");
    // A few at a time: the programs measure how long their calls take.
    let paths = [
        ("path-tls", Some("TLS"), "tls"),
        ("path-tls-bytes", Some("TLS_BYTES"), "tls"),
        ("path-tls-over-tcp", Some("TCP"), "tls"),
        ("path-tls-over-modem", Some("TCP_MODEM"), "tls"),
        ("path-default-tcp", None, "tcp"),
        ("path-tcp", Some("TCP"), "tcp"),
        ("path-modem", Some("TCP_MODEM"), "tcp"),
        ("path-clock-64", Some("CLOCK_64"), "tls"),
        ("path-clock-32", Some("CLOCK_32"), "tls"),
        ("path-clock-set", Some("CLOCK_SET"), "tls"),
    ];
    for few in paths.chunks(3) {
        thread::scope(|scope| {
            for (name, path, transport) in few {
                let reference = &reference;
                scope.spawn(move || {
                    assert_eq!(tell(name, *path, transport), *reference, "{name}");
                });
            }
        });
    }
}
