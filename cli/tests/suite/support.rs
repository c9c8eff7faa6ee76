//! A platform in this process, and `iotx` beside it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use iotx_platform::control::execute;
use iotx_platform::server::{Addresses, Options, Platform};
use serde_json::{Value, json};

/// How long anything may take that is expected to happen.
pub const SOON: Duration = Duration::from_secs(20);
/// A device with a secret.
pub const PRODUCT_KEY: &str = "a1MZxOdcBnO";
pub const DEVICE_NAME: &str = "example1";

/// A folder with certificates, made once for all tests.
pub fn pki() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = scratch("pki");
        iotx_platform::pki::generate(&folder, "a1X509Demo0", "x509-device-1").expect("pki");
        folder
    })
}

pub fn in_pki(name: &str) -> String {
    pki().join(name).to_str().expect("UTF-8").to_owned()
}

/// An empty folder for one test.
pub fn scratch(name: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("scratch folder");
    folder
}

/// A member of the registry entry of the device with a secret.
fn of_device(member: &str) -> String {
    let text = std::fs::read_to_string(pki().join("devices.json")).expect("registry");
    let registry: Value = serde_json::from_str(&text).expect("JSON");
    let devices = registry["devices"].as_array().expect("devices");
    let device = devices
        .iter()
        .find(|device| device["deviceName"] == DEVICE_NAME)
        .expect("the device");
    device[member].as_str().expect("a text").to_owned()
}

pub fn device_secret() -> String {
    of_device("deviceSecret")
}

pub fn product_secret() -> String {
    of_device("productSecret")
}

/// A file with this content in a folder of its own.
pub fn file(name: &str, content: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = scratch(&format!("file{number}")).join(name);
    std::fs::write(&path, content).expect("file");
    path.to_str().expect("UTF-8").to_owned()
}

pub fn options() -> Options {
    let listen = || Some("127.0.0.1:0".into());
    Options {
        listen_tls: listen(),
        listen_tcp: listen(),
        listen_ws: listen(),
        listen_wss: listen(),
        ..Options::new(pki().to_owned())
    }
}

/// A running platform; stops at the end of the test.
pub struct Running {
    pub platform: Arc<Platform>,
    addresses: Addresses,
}

impl Running {
    pub fn start(options: Options) -> Self {
        let (platform, addresses) = Platform::start(options).expect("platform starts");
        Self {
            platform,
            addresses,
        }
    }

    pub fn with_faults(faults: &[&str]) -> Self {
        Self::start(Options {
            faults: faults.iter().map(ToString::to_string).collect(),
            ..options()
        })
    }

    pub fn with_server_cert(name: &str) -> Self {
        let mut options = options();
        options.tls.server_cert = name.to_owned();
        Self::start(options)
    }

    pub fn port(&self, scheme: &str) -> u16 {
        let address = match scheme {
            "mqtts" | "https" => self.addresses.tls,
            "mqtt" => self.addresses.tcp,
            "ws" => self.addresses.ws,
            "wss" => self.addresses.wss,
            _ => None,
        };
        address.expect("a listener").port()
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.port(scheme))
    }

    pub fn control(&self, command: &Value) -> Value {
        execute(&self.platform, command).expect("control command")
    }

    pub fn count(&self, kind: &str) -> usize {
        let (events, _) = self.platform.events.since(0);
        let of_kind = events.iter().filter(|event| event["event"] == kind);
        of_kind.count()
    }

    pub fn saw(&self, kind: &str) -> bool {
        self.count(kind) > 0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.platform.stop("end of the test");
        self.platform.finish(&self.addresses);
    }
}

/// What a run came to.
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    fn of(output: Output) -> Run {
        let run = Run {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        };
        for secret in [device_secret(), product_secret()] {
            let shown = run.stdout.contains(&secret) || run.stderr.contains(&secret);
            assert!(!shown, "a secret in {}", run.all());
        }
        run
    }

    pub fn all(&self) -> String {
        format!("status {}\n{}{}", self.status, self.stdout, self.stderr)
    }

    /// The JSON lines.
    pub fn events(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    /// The events of one kind.
    pub fn of_kind(&self, kind: &str) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|event| event["event"] == kind);
        events
    }
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iotx"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command
}

pub fn iotx(arguments: &[&str]) -> Run {
    Run::of(command(arguments).output().expect("iotx runs"))
}

/// Runs it with `input` on standard input.
pub fn iotx_with_input(arguments: &[&str], input: &str) -> Run {
    let mut child = spawn(command(arguments).stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().expect("standard input");
    stdin.write_all(input.as_bytes()).expect("input");
    drop(stdin);
    Run::of(child.wait_with_output().expect("iotx ends"))
}

pub fn spawn(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("iotx starts")
}

pub fn ended(child: Child) -> Run {
    Run::of(child.wait_with_output().expect("iotx ends"))
}

pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < end, "{what} in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Publishes to the device with the secret, to whom it is subscribed.
pub fn publish(running: &Running, topic: &str, payload: &str) -> Value {
    running.control(&json!({"cmd": "publish", "topic": topic, "payload": payload}))
}
