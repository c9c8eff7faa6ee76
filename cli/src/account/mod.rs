//! The device and its server: options of the command line, and what they come to.

pub mod certificate;
pub mod directory;

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use iotx::credentials::{self, Connect, Fields, Transport};
use iotx::device::endpoint::{self, Endpoint};
use iotx::device::{Callback, Config, ConnectBounds, Reconnect};
use iotx::hal::tls::{Credentials, Identity, PreSharedKey, roots};
use iotx::mqtt::{Limits, Login, topic};
use iotx::sign::SignMethod;
use iotx::transport::{DialBounds, Proxy, Security, Target, WebSocket};
use zeroize::Zeroizing;

use crate::output::Problem;
use crate::secret;

/// How the device signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scheme {
    /// A secret of the device's own: --secret-file.
    Secret,
    /// A certificate of the platform: --cert, --key.
    X509,
    /// A certificate of a CA of your own: --cert, --key, or --cert-dir.
    PrivateCa,
    /// TLS with a pre-shared key made from the device secret: --secret-file.
    Psk,
    /// Without pre-registration: --client-id and --token-file, as `register` wrote them.
    Connwl,
    /// MQTT parameters as they are, e.g. those of a firmware: --client-id, --username, --password-file.
    Raw,
}

/// Digest of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// HMAC-MD5.
    Hmacmd5,
    /// HMAC-SHA1.
    Hmacsha1,
    /// HMAC-SHA256.
    Hmacsha256,
}

impl Method {
    fn sign(self) -> SignMethod {
        match self {
            Method::Hmacmd5 => SignMethod::HmacMd5,
            Method::Hmacsha1 => SignMethod::HmacSha1,
            Method::Hmacsha256 => SignMethod::HmacSha256,
        }
    }
}

/// Device and server.
#[derive(Debug, Args)]
pub struct Account {
    /// How the device signs in.
    #[arg(long, value_enum, default_value = "secret")]
    pub scheme: Scheme,
    /// mqtt://, mqtts://, ws:// or wss://HOST[:PORT] [default: the platform's own for the scheme].
    #[arg(long)]
    pub url: Option<String>,
    /// Region of the default URL.
    #[arg(long, default_value = "cn-shanghai")]
    pub region: String,
    /// Product key.
    #[arg(long, default_value = "")]
    pub product_key: String,
    /// Device name.
    #[arg(long, default_value = "")]
    pub device_name: String,
    /// Client id, without the parameters between bars (with them for --scheme raw).
    #[arg(long)]
    pub client_id: Option<String>,
    /// Digest of the signature [default: hmacsha256].
    #[arg(long, value_enum)]
    pub method: Option<Method>,
    /// Timestamp to sign, milliseconds.
    #[arg(long)]
    pub timestamp: Option<u64>,
    /// Id of a purchased instance.
    #[arg(long, default_value = "")]
    pub instance_id: String,
    /// Additional pairs NAME=VALUE of the client id, parted by commas.
    #[arg(long, default_value = "")]
    pub customize_info: String,
    /// File with the device secret; - for standard input.
    #[arg(long)]
    pub secret_file: Option<PathBuf>,
    /// File with the device token (client id, line end, token; or the token alone).
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// MQTT user name of --scheme raw.
    #[arg(long)]
    pub username: Option<String>,
    /// File with the MQTT password of --scheme raw; - for standard input.
    #[arg(long)]
    pub password_file: Option<PathBuf>,
    /// Device certificate, PEM.
    #[arg(long)]
    pub cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long)]
    pub key: Option<PathBuf>,
    /// File with the password of an encrypted key; - for standard input.
    #[arg(long)]
    pub key_password_file: Option<PathBuf>,
    /// Folder with {ProductKey}_{DeviceName}_{SN}.cer and .key.
    #[arg(long)]
    pub cert_dir: Option<PathBuf>,
    /// CA certificates to trust, PEM [default: the platform's roots].
    #[arg(long)]
    pub ca: Option<PathBuf>,
    /// HTTP proxy, http://HOST[:PORT].
    #[arg(long)]
    pub proxy: Option<String>,
    /// User name at the proxy.
    #[arg(long)]
    pub proxy_username: Option<String>,
    /// File with the password at the proxy; - for standard input.
    #[arg(long)]
    pub proxy_password_file: Option<PathBuf>,
    /// Keep-alive of CONNECT, seconds.
    #[arg(long, default_value_t = 300)]
    pub keep_alive: u16,
    /// Bound of the whole connect, seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=120))]
    pub timeout: u32,
    /// Ask the server to keep the session.
    #[arg(long)]
    pub keep_session: bool,
}

/// What the options come to, the files read.
pub struct Ready {
    /// Where to.
    pub endpoint: Endpoint,
    /// What CONNECT carries.
    pub login: Login,
    /// What TLS shows.
    pub credentials: Arc<Credentials>,
    /// Trust anchors.
    pub ca_pem: String,
    /// The way through a proxy.
    pub proxy: Option<Arc<Proxy>>,
    /// The device secret, where there is one.
    pub secret: Option<Zeroizing<String>>,
    /// The device certificate, where the scheme has one.
    pub certificate: Option<Vec<u8>>,
    /// Product key, empty if unknown.
    pub product_key: String,
    /// Device name, empty if unknown.
    pub device_name: String,
}

impl Account {
    /// Reads the files and builds the connect parameters. Names and values are taken as they are.
    pub fn ready(&self) -> Result<Ready, Problem> {
        let stdin = [
            &self.secret_file,
            &self.token_file,
            &self.password_file,
            &self.key_password_file,
            &self.proxy_password_file,
        ];
        let dashes = stdin
            .iter()
            .filter(|file| file.as_deref() == Some(Path::new("-")));
        if dashes.count() > 1 {
            return Err(Problem::input(
                "only one secret can come from standard input",
            ));
        }
        let mut certificate = None;
        let mut secret = None;
        let mut credentials = Credentials::None;
        if self.has_certificate() {
            let files = self.certificate_files()?;
            let certificate_pem = read_file(&files.0, "certificate")?;
            certificate = Some(certificate_pem.clone());
            let key_password = match &self.key_password_file {
                Some(file) => Some(Zeroizing::new(
                    secret::read(file, "password of the key")?
                        .as_bytes()
                        .to_vec(),
                )),
                None => None,
            };
            credentials = Credentials::Certificate(Identity {
                certificate_pem,
                key_pem: Zeroizing::new(read_file(&files.1, "key")?),
                key_password,
            });
        }
        let given = match &self.url {
            Some(url) => Some(endpoint::parse(url).map_err(Problem::input)?),
            None => None,
        };
        let (login, endpoint) = if self.scheme == Scheme::Raw {
            if let Some(file) = &self.secret_file {
                secret = Some(secret::read(file, "device secret")?);
            }
            let endpoint = given.ok_or_else(|| Problem::input("--scheme raw needs --url"))?;
            (self.raw()?, endpoint)
        } else {
            if matches!(self.scheme, Scheme::Secret | Scheme::Psk) {
                secret = Some(self.read(&self.secret_file, "device secret", "--secret-file")?);
            }
            let made =
                self.parameters(secret.as_deref().map_or("", |text| text), given.as_ref())?;
            if let Some(psk) = made.psk {
                credentials = Credentials::PreSharedKey(PreSharedKey {
                    identity: psk.identity,
                    key: Zeroizing::new(psk.key.as_bytes().to_vec()),
                });
            }
            let login = Login {
                client_id: made.client_id,
                username: made.username,
                password: made.password,
                clean_session: !self.keep_session,
                omit_empty: false,
            };
            let endpoint = given.unwrap_or(Endpoint {
                host: made.host,
                port: made.port,
                port_given: false,
                tls: true,
                path: None,
            });
            (login, endpoint)
        };
        let ca_pem = match &self.ca {
            Some(file) => String::from_utf8(read_file(file, "CA file")?)
                .map_err(|_| Problem::input("the CA file is not PEM"))?,
            None => roots::BUNDLE.to_owned(),
        };
        Ok(Ready {
            proxy: self.proxy()?,
            endpoint,
            login,
            credentials: Arc::new(credentials),
            ca_pem,
            secret,
            certificate,
            product_key: self.product_key.clone(),
            device_name: self.device_name.clone(),
        })
    }

    fn has_certificate(&self) -> bool {
        matches!(self.scheme, Scheme::X509 | Scheme::PrivateCa) || self.cert.is_some()
    }

    fn certificate_files(&self) -> Result<(PathBuf, PathBuf), Problem> {
        match (&self.cert_dir, &self.cert, &self.key) {
            (Some(folder), None, None) => {
                let found = directory::find(folder, &self.product_key, &self.device_name)?;
                // Who the device is, the server tells it; the names of the files only chose them.
                Ok((found.certificate, found.key))
            }
            (None, Some(cert), Some(key)) => Ok((cert.clone(), key.clone())),
            _ => Err(Problem::input("give --cert and --key, or --cert-dir alone")),
        }
    }

    fn read(
        &self,
        file: &Option<PathBuf>,
        what: &str,
        option: &str,
    ) -> Result<Zeroizing<String>, Problem> {
        match file {
            Some(file) => secret::read(file, what),
            None => Err(Problem::input(format!("this scheme needs {option}"))),
        }
    }

    /// MQTT parameters as they are given.
    fn raw(&self) -> Result<Login, Problem> {
        Ok(Login {
            client_id: self
                .client_id
                .clone()
                .ok_or_else(|| Problem::input("--scheme raw needs --client-id"))?,
            username: self.username.clone().unwrap_or_default(),
            password: match &self.password_file {
                Some(file) => secret::read(file, "password")?,
                None => Zeroizing::default(),
            },
            clean_session: !self.keep_session,
            omit_empty: true,
        })
    }

    /// Connect parameters of the scheme.
    fn parameters(&self, secret: &str, given: Option<&Endpoint>) -> Result<Connect, Problem> {
        let name = match self.scheme {
            Scheme::X509 | Scheme::PrivateCa => "x509",
            Scheme::Psk => "psk",
            Scheme::Connwl => "connwl",
            Scheme::Secret | Scheme::Raw => "device-secret",
        };
        let scheme = credentials::by_name(name)
            .ok_or_else(|| Problem::input(format!("the library has no scheme {name}")))?;
        let (kept, token) = match self.scheme {
            Scheme::Connwl => self.token()?,
            _ => (None, Zeroizing::default()),
        };
        let client_id = self.client_id.clone().or(kept).unwrap_or_default();
        let timestamp = self
            .timestamp
            .map_or(String::new(), |stamp| stamp.to_string());
        let (tls, websocket) = given.map_or((true, false), |endpoint| {
            (endpoint.tls, endpoint.path.is_some())
        });
        let fields = Fields {
            product_key: &self.product_key,
            device_name: &self.device_name,
            device_secret: secret,
            device_token: &token,
            client_id: &client_id,
            timestamp: &timestamp,
            customize_info: &self.customize_info,
            instance_id: &self.instance_id,
            method: self.method.map(Method::sign),
            region: &self.region,
            transport: match (tls, websocket) {
                (true, false) => Transport::Tls,
                (false, false) => Transport::Tcp,
                (true, true) => Transport::Wss,
                (false, true) => Transport::Ws,
            },
            has_certificate: self.has_certificate(),
            ..Fields::default()
        };
        credentials::connect(scheme, &fields).map_err(|refused| Problem::input(refused.text))
    }

    /// Client id and token of a registration without pre-registration.
    fn token(&self) -> Result<(Option<String>, Zeroizing<String>), Problem> {
        let text = self.read(&self.token_file, "token file", "--token-file")?;
        Ok(match text.split_once('\n') {
            Some((id, token)) => (
                Some(id.trim().to_owned()),
                Zeroizing::new(token.trim().to_owned()),
            ),
            None => (None, text),
        })
    }

    fn proxy(&self) -> Result<Option<Arc<Proxy>>, Problem> {
        let Some(url) = &self.proxy else {
            if self.proxy_username.is_some() || self.proxy_password_file.is_some() {
                return Err(Problem::input(
                    "a user or password of a proxy without --proxy",
                ));
            }
            return Ok(None);
        };
        let password = match &self.proxy_password_file {
            Some(file) => Some(secret::read(file, "password of the proxy")?),
            None => None,
        };
        let proxy = Proxy::new(
            url,
            self.proxy_username.as_deref(),
            password.as_deref().map(String::as_str),
        );
        Ok(Some(Arc::new(proxy.map_err(Problem::input)?)))
    }
}

impl Ready {
    /// The target of the transport.
    pub fn target(&self) -> Result<Target, Problem> {
        let nul = |_| Problem::input("a NUL in the URL or the CA file");
        let host = CString::new(self.endpoint.host.as_str()).map_err(nul)?;
        let security = if self.endpoint.tls {
            Security::Tls {
                ca_pem: CString::new(self.ca_pem.as_str()).map_err(nul)?,
                credentials: Some(Arc::clone(&self.credentials)),
            }
        } else {
            Security::Tcp
        };
        let mut target = Target::new(host, self.endpoint.port, security);
        if let Some(path) = &self.endpoint.path {
            target.websocket = Some(WebSocket::new(path, "").map_err(Problem::input)?);
        }
        target.proxy = self.proxy.clone();
        Ok(target)
    }

    /// The configuration of a client.
    pub fn config(&self, account: &Account) -> Result<Config, Problem> {
        let bound_ms = account.timeout * 1000;
        Ok(Config {
            target: self.target()?,
            login: self.login.clone(),
            limits: Limits {
                write_max: 1 << 20,
                read_max: 1 << 20,
                inflight_max: 128,
                request_timeout_ms: u64::from(bound_ms.min(10_000)),
                // Announced is twice the time between pings.
                keepalive_ms: u64::from(account.keep_alive) * 500,
            },
            connect: ConnectBounds {
                dial: DialBounds {
                    resolve_ms: bound_ms,
                    address_ms: (bound_ms / 2).min(5_000),
                    network_ms: bound_ms,
                    handshake_ms: bound_ms,
                },
                attempt_ms: bound_ms.into(),
            },
            reconnect: Reconnect {
                first_ms: 1_000,
                ceiling_ms: 30_000,
                floor_ms: 100,
                stable_ms: 30_000,
            },
            // Any number but zero: events and messages all go to the one host.
            handler: Some(Callback {
                function: 1,
                context: 0,
            }),
            topics: topic::Rules::Standard,
            platform: false,
            queue_max: None,
            store: None,
        })
    }
}

fn read_file(path: &Path, what: &str) -> Result<Vec<u8>, Problem> {
    const MAX: u64 = 1 << 20;
    let fail = |error: std::io::Error| {
        Problem::input(format!("{what}: cannot read {}: {error}", path.display()))
    };
    let size = fs::metadata(path).map_err(fail)?.len();
    if size > MAX {
        return Err(Problem::input(format!(
            "{what}: {} is over 1 MiB",
            path.display()
        )));
    }
    fs::read(path).map_err(fail)
}
