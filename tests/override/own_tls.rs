//! A port whose TLS HAL is its own, on the Mbed TLS of the distribution.

use std::path::Path;
use std::process::{Command, Output};

use crate::libraries::{self, SYSTEM_LIBRARIES, archive, compile, run, scratch, shipped};
use crate::platform::Platform;

const MBEDTLS: [&str; 3] = ["-lmbedtls", "-lmbedx509", "-lmbedcrypto"];

fn device(program: &Path, platform: &Platform, ca: &str, certificate: &str) -> Output {
    let pki = platform.pki();
    Command::new(program)
        .env("PORT_TLS_PORT", platform.port().to_string())
        .env("PORT_TLS_CA", pki.join(ca))
        .env("PORT_TLS_CERT", pki.join(format!("{certificate}.crt")))
        .env("PORT_TLS_KEY", pki.join(format!("{certificate}.key")))
        .output()
        .expect("the program starts")
}

#[test]
fn mutual_tls_identity_and_messages() {
    let folder = scratch("own-tls");
    let platform = Platform::start(&folder, &[]);
    let port = folder.join("port.o");
    compile(&libraries::sources().join("port_mbedtls.c"), &[], &port);
    archive(&folder.join("libport.a"), std::slice::from_ref(&port));
    let take = format!("-Wl,@{}", shipped().join("iotx_take_port.rsp").display());
    for line in [
        "port.o -l:libiotx.a",
        "-l:libiotx.a port.o",
        "port.o -l:libiotx.so",
        "-liotx_core -lport -liotx_port",
        "{take} -lport -l:libiotx.so",
    ] {
        let program = folder.join("device");
        run(libraries::cc()
            .current_dir(&folder)
            .arg(libraries::sources().join("device.c"))
            .arg("-L.")
            .arg(format!("-L{}", shipped().display()))
            .arg(format!("-Wl,-rpath,{}", shipped().display()))
            .args(line.replace("{take}", &take).split_whitespace())
            .args(MBEDTLS)
            .args(SYSTEM_LIBRARIES)
            .arg("-o")
            .arg(&program));
        let output = device(&program, &platform, "root.crt", "device");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{line}: {text}");
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('[')).collect();
        assert_eq!(
            lines[0], "os=default tcp=default tls=port kv=default data=port",
            "{line}"
        );
        assert!(
            lines[1].starts_with("tls port: TLSv1.2 ")
                && lines[1].ends_with(" for x509.itls.cn-shanghai.aliyuncs.com"),
            "{line}: {text}"
        );
        assert!(lines[2].starts_with("identity {"), "{line}: {text}");
        assert_eq!(
            lines[3..],
            [
                "subscribed 1 sent 1 1 acknowledged 1 arrived 1 1 wrong 0",
                "destroyed 0"
            ],
            "{line}"
        );
        // The port decides whom it trusts, and the platform whom it lets in.
        if line.starts_with("port.o -l:libiotx") {
            let output = device(&program, &platform, "other-root.crt", "device");
            assert_eq!(output.status.code(), Some(1), "{line}");
            let output = device(&program, &platform, "root.crt", "device-unknown-ca");
            assert_eq!(output.status.code(), Some(1), "{line}");
        }
    }
}

/// The library's own TLS over the port's memory, counted and refused: nothing is lost, and no call ends
/// otherwise than it may.
#[test]
fn our_tls_gives_the_ports_memory_back() {
    let folder = scratch("counted");
    let platform = Platform::start(&folder, &[]);
    let program = folder.join("device");
    run(libraries::cc()
        .arg(libraries::sources().join("device.c"))
        .arg(libraries::sources().join("counted.c"))
        .arg(libraries::tree().join("c_examples/demo_port.c"))
        .arg(format!("-L{}", shipped().display()))
        .arg("-l:libiotx.a")
        .args(SYSTEM_LIBRARIES)
        .arg("-o")
        .arg(&program));
    let life = |fail_at: i64, and_on: bool| {
        let mut command = Command::new(&program);
        command
            .env("IOTX_DEMO_PORT", platform.port().to_string())
            .env("IOTX_DEMO_CA", platform.pki().join("root.crt"))
            .env("IOTX_DEMO_CERT", platform.pki().join("device.crt"))
            .env("IOTX_DEMO_KEY", platform.pki().join("device.key"))
            .env("COUNTED_FAIL_AT", fail_at.to_string());
        if and_on {
            command.env("COUNTED_AND_ON", "1");
        }
        let output = command.output().expect("the program starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // 1: something was refused. Anything else is a crash.
        let status = output.status.code();
        assert!(
            matches!(status, Some(0 | 1)),
            "{fail_at} {and_on}: {}\n{text}",
            output.status
        );
        let last = text.lines().last().expect("a line on memory");
        let counts: Vec<i64> = last
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        let [calls, live] = counts[..] else {
            panic!("{text}");
        };
        assert_eq!(live, 0, "{fail_at} {and_on}: {text}");
        (status == Some(0), calls)
    };
    let (worked, calls) = life(0, false);
    assert!(worked && calls > 50, "{calls}");
    let mut refused = 0;
    for and_on in [false, true] {
        for n in 0..12 {
            refused += i32::from(!life(1 + n * calls / 12, and_on).0);
        }
    }
    assert!(refused > 12, "{refused}");
}
