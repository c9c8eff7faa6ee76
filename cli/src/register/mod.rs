//! `iotx register`.

use std::ffi::CString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use iotx::device::endpoint;
use iotx::hal::tls::roots;
use iotx::services::dynreg::mqtt::{self, Kind};
use iotx::services::dynreg::{Applicant, Granted, Group, Refused, https};
use iotx::sign::hmac_sha256;
use iotx::state;
use iotx::transport::{HalDialer, Security, Target};
use serde_json::json;

use crate::output::{Exit, Output, Problem};
use crate::secret;

/// Which registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// HTTPS; the device was created in the console.
    Https,
    /// MQTT; the device was created in the console.
    Mqtt,
    /// MQTT; the device is not known yet. Gives a client id and a token.
    NoPreRegistration,
}

/// Options of `iotx register`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How to register.
    #[arg(long, value_enum, default_value = "https")]
    way: Way,
    /// https:// or mqtts://HOST[:PORT] [default: the platform's own for the way].
    #[arg(long)]
    url: Option<String>,
    /// Region of the default URL.
    #[arg(long, default_value = "cn-shanghai")]
    region: String,
    /// Product key.
    #[arg(long)]
    product_key: String,
    /// Device name.
    #[arg(long)]
    device_name: String,
    /// File with the product secret; - for standard input.
    #[arg(long)]
    product_secret_file: PathBuf,
    /// Client id of a device without pre-registration.
    #[arg(long)]
    client_id: Option<String>,
    /// Id of a purchased instance.
    #[arg(long)]
    instance_id: Option<String>,
    /// CA certificates to trust, PEM [default: the platform's roots].
    #[arg(long)]
    ca: Option<PathBuf>,
    /// File to write the secret to (mode 0600); without pre-registration: client id, line end, token.
    #[arg(long, required_unless_present = "show")]
    out: Option<PathBuf>,
    /// Print the secret.
    #[arg(long)]
    show: bool,
    /// Overwrite --out.
    #[arg(long)]
    force: bool,
}

/// Registers, and keeps what was granted.
pub fn run(arguments: &Arguments, output: &Output) -> Result<(), Problem> {
    if let Some(out) = &arguments.out {
        // Before the platform gives a secret away that it may not give twice.
        if out.exists() && !arguments.force {
            return Err(Problem::input(format!(
                "{} exists; --force overwrites it",
                out.display()
            )));
        }
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(Problem::input(format!(
                "the folder of {} does not exist",
                out.display()
            )));
        }
    }
    let product_secret = secret::read(&arguments.product_secret_file, "product secret")?;
    let target = target(arguments)?;
    let applicant = Applicant {
        product_key: &arguments.product_key,
        product_secret: &product_secret,
        device_name: &arguments.device_name,
        hmac: hmac_sha256,
    };
    let instance_id = arguments.instance_id.as_deref();
    let granted = match (arguments.way, arguments.client_id.as_deref()) {
        (Way::Https, None) if instance_id.is_none() => {
            https::register(&HalDialer, &target, &applicant)
        }
        (Way::Https, _) => {
            return Err(Problem::input(
                "--client-id and --instance-id are not for HTTPS",
            ));
        }
        (Way::Mqtt, None) => mqtt::register(
            &HalDialer,
            &target,
            &applicant,
            &Kind::Register { instance_id },
        ),
        (Way::Mqtt, Some(_)) => {
            return Err(Problem::input(
                "--client-id is for --way no-pre-registration",
            ));
        }
        (Way::NoPreRegistration, Some(client_id)) => {
            let kind = Kind::WithoutPreRegistration {
                instance_id,
                client_id,
            };
            mqtt::register(&HalDialer, &target, &applicant, &kind)
        }
        (Way::NoPreRegistration, None) => {
            return Err(Problem::input(
                "--way no-pre-registration needs --client-id",
            ));
        }
    };
    keep(
        arguments,
        output,
        granted.map_err(|refused| problem(&refused))?,
    )
}

fn target(arguments: &Arguments) -> Result<Target, Problem> {
    let region = &arguments.region;
    let url = match (&arguments.url, arguments.way) {
        (Some(url), _) => url.clone(),
        (None, Way::Https) => format!("https://iot-auth.{region}.aliyuncs.com"),
        (None, _) => format!(
            "mqtts://{}.iot-as-mqtt.{region}.aliyuncs.com:443",
            arguments.product_key
        ),
    };
    let (spelled, default_port) = match arguments.way {
        // The same rules for host and port, another default.
        Way::Https => match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => {
                (format!("mqtts://{rest}"), Some(443))
            }
            _ => {
                return Err(Problem::input(
                    "registration over HTTPS needs an https:// URL",
                ));
            }
        },
        _ => (url, None),
    };
    let endpoint = endpoint::parse(&spelled).map_err(Problem::input)?;
    if !endpoint.tls || endpoint.path.is_some() {
        return Err(Problem::input(
            "registration over MQTT needs an mqtts:// URL",
        ));
    }
    let port = match default_port {
        Some(port) if !endpoint.port_given => port,
        _ => endpoint.port,
    };
    let ca_pem = match &arguments.ca {
        Some(file) => std::fs::read(file).map_err(|error| {
            Problem::input(format!("CA file: cannot read {}: {error}", file.display()))
        })?,
        None => roots::BUNDLE.as_bytes().to_vec(),
    };
    let nul = |_| Problem::input("a NUL in the URL or the CA file");
    let security = Security::Tls {
        ca_pem: CString::new(ca_pem).map_err(nul)?,
        // What a device has to show, it gets here.
        credentials: Some(std::sync::Arc::default()),
    };
    Ok(Target::new(
        CString::new(endpoint.host).map_err(nul)?,
        port,
        security,
    ))
}

fn problem(refused: &Refused) -> Problem {
    let exit = match (refused.group, refused.code) {
        (Group::UserInput, _) => Exit::Input,
        (_, state::ERROR_CERT_VERIFY_FAIL) => Exit::Tls,
        (_, state::STATE_SYS_DEPEND_NWK_CLOSE | state::STATE_SYS_DEPEND_NWK_TIMEOUT) => {
            Exit::Network
        }
        _ => Exit::Refused,
    };
    Problem::new(exit, format!("not registered: {}", refused.text))
}

fn keep(arguments: &Arguments, output: &Output, granted: Granted) -> Result<(), Problem> {
    let (what, client_id, value) = match granted {
        Granted::Secret(secret) => ("device secret", None, secret),
        Granted::Token { client_id, token } => ("device token", Some(client_id), token),
    };
    let mut said = format!("registered: {what}");
    if let Some(out) = &arguments.out {
        let text = zeroize::Zeroizing::new(match &client_id {
            Some(client_id) => format!("{client_id}\n{}\n", value.as_str()),
            None => format!("{}\n", value.as_str()),
        });
        secret::write(out, &text, arguments.force)?;
        said.push_str(&format!(" written to {}", out.display()));
    }
    let mut fields = json!({
        "granted": what, "client_id": client_id,
        "file": arguments.out.as_ref().map(|out| out.display().to_string()),
    });
    if arguments.show {
        fields["value"] = json!(value.as_str());
        said.push_str(&format!("\n{}", value.as_str()));
    }
    output.event("registered", fields, &said);
    Ok(())
}
