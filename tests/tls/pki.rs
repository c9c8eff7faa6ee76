//! A small PKI, made once per test process with the `openssl` command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Validity of an issued certificate.
#[derive(Clone, Copy)]
pub enum When {
    Now,
    Past,
    Future,
}

/// Paths of everything that was generated.
pub struct Pki {
    dir: PathBuf,
}

/// The PKI of this test process.
pub fn pki() -> &'static Pki {
    static PKI: OnceLock<Pki> = OnceLock::new();
    PKI.get_or_init(Pki::generate)
}

const LOCAL: &str = "DNS:localhost,IP:127.0.0.1,IP:::1";

impl Pki {
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().expect("UTF-8 path").to_owned()
    }

    /// The content of a file, e.g. `root.pem`.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn generate() -> Pki {
        let dir =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pki-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("PKI directory");
        let pki = Pki { dir };
        for (name, kind) in [
            ("rsa.key", "rsa"),
            ("other-rsa.key", "rsa"),
            ("weak.key", "weak"),
        ] {
            let bits = if kind == "weak" { "1024" } else { "2048" };
            pki.openssl(&["genrsa", "-traditional", "-out", name, bits]);
        }
        pki.openssl(&[
            "ecparam",
            "-name",
            "prime256v1",
            "-genkey",
            "-noout",
            "-out",
            "ec.key",
        ]);
        pki.openssl(&[
            "pkcs8",
            "-topk8",
            "-nocrypt",
            "-in",
            "rsa.key",
            "-out",
            "rsa-pkcs8.key",
        ]);
        pki.openssl(&[
            "pkcs8",
            "-topk8",
            "-in",
            "rsa.key",
            "-out",
            "rsa-locked.key",
            "-passout",
            "pass:secret",
        ]);
        for (ca, common_name) in [("root", "Test Root"), ("stranger", "Other Root")] {
            pki.authority(ca, common_name);
        }
        let server = "serverAuth";
        pki.issue(
            "root",
            "server",
            "localhost",
            LOCAL,
            "rsa.key",
            When::Now,
            server,
        );
        pki.issue(
            "root",
            "server-ec",
            "localhost",
            LOCAL,
            "ec.key",
            When::Now,
            server,
        );
        pki.issue(
            "root",
            "expired",
            "localhost",
            LOCAL,
            "rsa.key",
            When::Past,
            server,
        );
        pki.issue(
            "root",
            "future",
            "localhost",
            LOCAL,
            "rsa.key",
            When::Future,
            server,
        );
        pki.issue(
            "root",
            "elsewhere",
            "elsewhere",
            "DNS:elsewhere.test,IP:10.9.8.7",
            "rsa.key",
            When::Now,
            server,
        );
        // Both wrong at once: dates must not hide the name, and the reverse.
        pki.issue(
            "root",
            "expired-elsewhere",
            "elsewhere",
            "DNS:elsewhere.test",
            "rsa.key",
            When::Past,
            server,
        );
        pki.issue(
            "root",
            "cn-address",
            "127.0.0.1",
            "DNS:127.0.0.1",
            "rsa.key",
            When::Now,
            server,
        );
        pki.issue(
            "root",
            "weak",
            "localhost",
            LOCAL,
            "weak.key",
            When::Now,
            server,
        );
        pki.issue(
            "root",
            "for-clients",
            "localhost",
            LOCAL,
            "rsa.key",
            When::Now,
            "clientAuth",
        );
        pki.issue(
            "root",
            "platform",
            "platform",
            "DNS:*.iot-as.aliyuncs.com",
            "rsa.key",
            When::Now,
            server,
        );
        pki.issue(
            "stranger",
            "strange",
            "localhost",
            LOCAL,
            "rsa.key",
            When::Now,
            server,
        );
        for (name, key) in [("device", "rsa.key"), ("device-ec", "ec.key")] {
            pki.issue(
                "root",
                name,
                "device 1",
                "DNS:device",
                key,
                When::Now,
                "clientAuth",
            );
        }
        pki.openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            "rsa.key",
            "-subj",
            "/CN=localhost",
            "-days",
            "9",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-out",
            "selfsigned.pem",
        ]);
        pki
    }

    fn openssl(&self, args: &[&str]) {
        let output = Command::new("openssl")
            .args(args)
            .current_dir(&self.dir)
            .output();
        let output = output.expect("openssl command");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {args:?}: {errors}");
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.dir.join(name), content).expect("write");
    }

    fn authority(&self, ca: &str, common_name: &str) {
        let key = format!("{ca}.key");
        self.openssl(&["genrsa", "-out", &key, "2048"]);
        self.openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            &key,
            "-subj",
            &format!("/CN={common_name}"),
            "-days",
            "30",
            "-out",
            &format!("{ca}.pem"),
        ]);
        self.write(&format!("{ca}.index"), "");
        self.write(
            &format!("{ca}.cnf"),
            &format!(
                "[ca]\ndefault_ca=x\n[x]\ndatabase={ca}.index\nnew_certs_dir=.\nrand_serial=yes\n\
                 certificate={ca}.pem\nprivate_key={ca}.key\ndefault_md=sha256\npolicy=p\n\
                 unique_subject=no\n[p]\ncommonName=supplied\n"
            ),
        );
    }

    /// Issues `{name}.pem` for the key file `key`.
    #[allow(clippy::too_many_arguments)]
    fn issue(&self, ca: &str, name: &str, cn: &str, san: &str, key: &str, when: When, usage: &str) {
        let request = format!("{name}.csr");
        let subject = format!("/CN={cn}");
        self.openssl(&[
            "req", "-new", "-key", key, "-subj", &subject, "-out", &request,
        ]);
        let extensions = format!("{name}.ext");
        self.write(
            &extensions,
            &format!("subjectAltName={san}\nextendedKeyUsage={usage}\n"),
        );
        let (start, end) = match when {
            When::Now => ("20200101000000Z", "20490101000000Z"),
            When::Past => ("20200101000000Z", "20240131000000Z"),
            When::Future => ("20480101000000Z", "20490101000000Z"),
        };
        self.openssl(&[
            "ca",
            "-batch",
            "-notext",
            "-config",
            &format!("{ca}.cnf"),
            "-in",
            &request,
            "-out",
            &format!("{name}.pem"),
            "-startdate",
            start,
            "-enddate",
            end,
            "-extfile",
            &extensions,
        ]);
    }
}
