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
