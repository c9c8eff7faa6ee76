//! `iotx register`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::*;

fn register(url: &str, way: &str, out: &Path, more: &[&str]) -> Run {
    let secret = file("product-secret", &product_secret());
    let ca = in_pki("root.crt");
    let mut arguments = vec![
        "--json",
        "register",
        "--way",
        way,
        "--url",
        url,
        "--ca",
        &ca,
        "--product-key",
        PRODUCT_KEY,
        "--device-name",
        DEVICE_NAME,
        "--product-secret-file",
        &secret,
        "--out",
        out.to_str().expect("UTF-8"),
    ];
    arguments.extend(more);
    iotx(&arguments)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("file").permissions().mode() & 0o777
}

#[test]
fn over_mqtt_the_secret_goes_to_a_file() {
    let running = Running::start(options());
    let out = scratch("register-mqtt").join("secret");
    let run = register(&running.url("mqtts"), "mqtt", &out, &[]);
    assert_eq!(run.status, 0, "{}", run.all());
    assert_eq!(
        std::fs::read_to_string(&out).expect("file"),
        device_secret() + "\n"
    );
    assert_eq!(mode(&out), 0o600);

    // It is the file that `connect` takes.
    let run = iotx(&[
        "connect",
        "--product-key",
        PRODUCT_KEY,
        "--device-name",
        DEVICE_NAME,
        "--secret-file",
        out.to_str().expect("UTF-8"),
        "--ca",
        &in_pki("root.crt"),
        "--url",
        &running.url("mqtts"),
    ]);
    assert_eq!(run.status, 0, "{}", run.all());

    // A file that is there is not overwritten, and nothing is asked for.
    let before = running.count("accepted");
    let again = register(&running.url("mqtts"), "mqtt", &out, &[]);
    assert_eq!(again.status, 1, "{}", again.all());
    assert_eq!(running.count("accepted"), before);
    assert_eq!(
        register(&running.url("mqtts"), "mqtt", &out, &["--force"]).status,
        0
    );
}

#[test]
fn without_pre_registration_the_token_connects() {
    let running = Running::start(options());
    let out = scratch("register-new").join("token");
    let run = register(
        &running.url("mqtts"),
        "no-pre-registration",
        &out,
        &["--client-id", "mac-1"],
    );
    assert_eq!(run.status, 0, "{}", run.all());
    assert_eq!(run.of_kind("registered")[0]["client_id"], "mac-1");
    let kept = std::fs::read_to_string(&out).expect("file");
    let (client_id, token) = kept.trim_end().split_once('\n').expect("two lines");
    assert_eq!(client_id, "mac-1");
    assert!(!run.stdout.contains(token), "{}", run.all());
    assert_eq!(mode(&out), 0o600);
    let run = iotx(&[
        "--json",
        "connect",
        "--scheme",
        "connwl",
        "--product-key",
        PRODUCT_KEY,
        "--device-name",
        DEVICE_NAME,
        "--token-file",
        out.to_str().expect("UTF-8"),
        "--ca",
        &in_pki("root.crt"),
        "--url",
        &running.url("mqtts"),
    ]);
    assert_eq!(run.status, 0, "{}", run.all());
}

/// Answers one HTTPS request with `body`.
fn https(body: &'static str) -> (u16, std::thread::JoinHandle<String>) {
    let running = Running::start(options());
    let config = running.platform.tls_config().expect("TLS");
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    let served = std::thread::spawn(move || {
        let (socket, _) = listener.accept().expect("connection");
        socket.set_read_timeout(Some(SOON)).expect("time-out");
        let connection = rustls::ServerConnection::new(config).expect("TLS");
        let mut stream = rustls::StreamOwned::new(connection, socket);
        let mut request = Vec::new();
        let mut chunk = [0; 1024];
        while !String::from_utf8_lossy(&request).contains("signMethod=") {
            let count = stream.read(&mut chunk).expect("request");
            assert!(count > 0, "request is whole");
            request.extend_from_slice(&chunk[..count]);
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).expect("answer");
        stream.flush().expect("answer");
        String::from_utf8_lossy(&request).into_owned()
    });
    (port, served)
}

#[test]
fn over_https_the_secret_goes_to_a_file() {
    let (port, served) = https(
        r#"{"code":200,"data":{"productKey":"a1MZxOdcBnO","deviceName":"example1","deviceSecret":"granted-here"}}"#,
    );
    let out = scratch("register-https").join("secret");
    let run = register(&format!("https://localhost:{port}"), "https", &out, &[]);
    assert_eq!(run.status, 0, "{}", run.all());
    assert!(
        served
            .join()
            .expect("server")
            .starts_with("POST /auth/register/device HTTP/1.1\r\n")
    );
    assert_eq!(
        std::fs::read_to_string(&out).expect("file"),
        "granted-here\n"
    );
    assert!(!run.stdout.contains("granted-here"), "{}", run.all());
}

#[test]
fn show_prints_the_secret() {
    let (port, served) = https(r#"{"code":200,"data":{"deviceSecret":"granted-here"}}"#);
    let out = scratch("register-show").join("secret");
    let run = register(
        &format!("https://localhost:{port}"),
        "https",
        &out,
        &["--show"],
    );
    served.join().expect("server");
    assert_eq!(
        run.of_kind("registered")[0]["value"],
        "granted-here",
        "{}",
        run.all()
    );
}

#[test]
fn a_refusal_leaves_no_file() {
    let (port, served) = https(r#"{"code":6288,"message":"device not found"}"#);
    let folder = scratch("register-refused");
    let out = folder.join("secret");
    let run = register(&format!("https://localhost:{port}"), "https", &out, &[]);
    served.join().expect("server");
    assert_eq!(run.status, 5, "{}", run.all());
    assert!(run.stdout.contains("6288"), "{}", run.all());
    assert_eq!(std::fs::read_dir(&folder).expect("folder").count(), 0);

    let running = Running::start(options());
    let wrong = file("wrong", "not the product's");
    let ca = in_pki("root.crt");
    let run = iotx(&[
        "--json",
        "register",
        "--way",
        "mqtt",
        "--url",
        &running.url("mqtts"),
        "--ca",
        &ca,
        "--product-key",
        PRODUCT_KEY,
        "--device-name",
        DEVICE_NAME,
        "--product-secret-file",
        &wrong,
        "--out",
        out.to_str().expect("UTF-8"),
    ]);
    assert_eq!(run.status, 5, "{}", run.all());
    assert!(!out.exists());
}

#[test]
fn what_does_not_go_together_is_refused() {
    let out = scratch("register-wrong").join("secret");
    for (url, way, more, text) in [
        ("mqtts://localhost:1", "https", &[][..], "https://"),
        ("https://localhost:1", "mqtt", &[], "scheme"),
        ("mqtt://localhost:1", "mqtt", &[], "mqtts://"),
        (
            "mqtts://localhost:1",
            "no-pre-registration",
            &[],
            "--client-id",
        ),
        (
            "https://localhost:1",
            "https",
            &["--client-id", "x"],
            "not for HTTPS",
        ),
        (
            "mqtts://localhost:1",
            "mqtt",
            &["--client-id", "x"],
            "no-pre-registration",
        ),
    ] {
        let run = register(url, way, &out, more);
        assert_eq!(run.status, 1, "{way}: {}", run.all());
        assert!(run.stdout.contains(text), "{way}: {}", run.all());
    }
}
