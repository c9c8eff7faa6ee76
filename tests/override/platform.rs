//! A running local platform.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::libraries::{run, tree};

/// Ends with the value.
pub struct Platform {
    process: Child,
    pki: PathBuf,
    ready: serde_json::Value,
}

impl Platform {
    /// Starts one in `folder`, with free ports and these further arguments.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let program = program();
        let pki = folder.join("pki");
        run(Command::new(&program).args(["pki", "--out"]).arg(&pki));
        let ready = folder.join("ready.json");
        let process = Command::new(&program)
            .args(["serve", "--quiet", "--listen-tcp", "127.0.0.1:0", "--pki"])
            .arg(&pki)
            .arg("--ready")
            .arg(&ready)
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("the platform starts");
        let mut platform = Platform {
            process,
            pki,
            ready: serde_json::Value::Null,
        };
        let end = Instant::now() + Duration::from_secs(30);
        while platform.ready.is_null() {
            assert!(Instant::now() < end, "the platform is not ready");
            thread::sleep(Duration::from_millis(10));
            // The file appears whole.
            if let Ok(text) = std::fs::read_to_string(&ready) {
                platform.ready = serde_json::from_str(&text).expect("JSON");
            }
        }
        platform
    }

    /// The folder with certificates and devices.
    pub fn pki(&self) -> &Path {
        &self.pki
    }

    fn number(&self, name: &str) -> u16 {
        let port = self.ready[name].as_u64().expect("the ready file names it");
        u16::try_from(port).expect("a port")
    }

    /// The TLS port.
    pub fn port(&self) -> u16 {
        self.number("port")
    }

    /// The control port.
    pub fn control_port(&self) -> u16 {
        self.number("control_port")
    }

    /// Product key, device name and secret of a device that has one.
    pub fn device_with_secret(&self) -> (String, String, String) {
        let text = std::fs::read_to_string(self.pki.join("devices.json")).expect("the registry");
        let registry: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let device = registry["devices"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|device| device["deviceSecret"] != "")
            .expect("a device with a secret");
        let field = |name: &str| device[name].as_str().expect("a string").to_owned();
        (
            field("productKey"),
            field("deviceName"),
            field("deviceSecret"),
        )
    }

    /// The plain TCP port.
    pub fn tcp_port(&self) -> u16 {
        self.number("tcp_port")
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program; built first if a test of this package alone was asked for.
fn program() -> PathBuf {
    let tests = std::env::current_exe().expect("path of the test program");
    let profile = tests
        .ancestors()
        .nth(2)
        .expect("the directory of the build profile");
    let program = profile.join("iotx-platform");
    if !program.exists() {
        run(Command::new(env!("CARGO"))
            .args(["build", "--locked", "-p", "iotx-platform"])
            .current_dir(tree()));
    }
    program
}
