//! The check of CONNECT: which device is this, may it come in, and with which return code not.

use std::collections::HashMap;

use crate::mqtt::Connect;
use crate::registration::{Claim, Refusal};
use crate::registry::{DeviceId, Registry};
use crate::sign::{self, Method};

/// CONNACK: identifier rejected; also parameters out of range.
pub const REJECTED: u8 = 2;
/// CONNACK: bad user name or password.
pub const BAD_CREDENTIALS: u8 = 4;
/// CONNACK: not authorized; here: no such device.
pub const NOT_AUTHORIZED: u8 = 5;

/// How a device proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By its client certificate.
    X509,
    /// By a signature with its device secret.
    Secret,
    /// Dynamic registration of a pre-created device: gets its secret, then leaves.
    Register,
    /// Dynamic registration of a device not created before: gets a token, then leaves.
    RegisterNew,
    /// By the token of such a registration.
    Token,
    /// By its pre-shared key, and then by a signature too.
    Psk,
}

impl Mode {
    /// The name in the event log.
    pub fn name(self) -> &'static str {
        match self {
            Self::X509 => "x509",
            Self::Secret => "secret",
            Self::Register => "register",
            Self::RegisterNew => "regnwl",
            Self::Token => "connwl",
            Self::Psk => "psk",
        }
    }
}

/// What is known about the peer below MQTT.
pub struct Peer<'a> {
    /// The connection is TLS.
    pub tls: bool,
    /// SHA-256 of the client certificate that TLS verified, lower-case hexadecimal.
    pub certificate: Option<&'a str>,
    /// DER of that certificate.
    pub der: Option<&'a [u8]>,
    /// The device whose pre-shared key TLS verified.
    pub psk: Option<&'a DeviceId>,
}

/// The adjustable rules.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Smallest keep-alive, seconds.
    pub min_keep_alive: u16,
    /// Largest keep-alive, seconds.
    pub max_keep_alive: u16,
    /// Return code for a keep-alive outside.
    pub keep_alive_code: u8,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            min_keep_alive: 30,
            max_keep_alive: 1200,
            keep_alive_code: REJECTED,
        }
    }
}

/// A CONNECT that is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Who it is.
    pub device: DeviceId,
    /// How it proved that.
    pub mode: Mode,
    /// The client id in front of the first bar.
    pub client_id: String,
    /// The client id asks for automatic subscription of the system topics (`_ss=1`).
    pub auto_subscribe: bool,
}

/// A CONNECT that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// CONNACK return code.
    pub code: u8,
    /// The reason, for the log.
    pub reason: String,
    /// The device that the client claims to be, as far as known.
    pub device: Option<DeviceId>,
    /// `false` if it was the password that did not match, `None` if it was not looked at.
    pub password_ok: Option<bool>,
}

impl Refused {
    fn new(code: u8, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            device: None,
            password_ok: None,
        }
    }
}

/// `{id}|name=value,...|` taken apart.
#[derive(Debug, PartialEq, Eq)]
struct ClientId<'a> {
    id: &'a str,
    pairs: HashMap<&'a str, &'a str>,
}

impl<'a> ClientId<'a> {
    fn parse(text: &'a str) -> Result<Self, Refused> {
        let refused = |reason: &str| Err(Refused::new(REJECTED, reason));
        let Some((id, rest)) = text.split_once('|') else {
            return refused("the client id has no |name=value,...| part");
        };
        let Some(list) = rest.strip_suffix('|') else {
            return refused("the client id does not end with a bar");
        };
        if id.is_empty() {
            return refused("the client id has nothing in front of its first bar");
        }
        if id.chars().count() > 64 {
            return refused("the client id has more than 64 characters in front of its first bar");
        }
        let mut pairs = HashMap::new();
        // An empty item comes from an empty customisation and means nothing.
        for item in list.split(',').filter(|item| !item.is_empty()) {
            let Some((name, value)) = item.split_once('=') else {
                return refused("the client id holds an item without '='");
            };
            if pairs.insert(name, value).is_some() {
                return refused("the client id names a parameter twice");
            }
        }
        Ok(Self { id, pairs })
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.pairs.get(name).copied()
    }
}

/// Checks a CONNECT against the registry.
pub fn check(
    registry: &Registry,
    peer: &Peer<'_>,
    rules: &Rules,
    connect: &Connect,
) -> Result<Accepted, Refused> {
    let client_id = ClientId::parse(&connect.client_id)?;
    let auth_type = client_id.get("authType");
    // Registration lasts seconds: the platform does not look at its keep-alive.
    let registration = matches!(auth_type, Some("register" | "regnwl"));
    let range = rules.min_keep_alive..=rules.max_keep_alive;
    if !registration && !range.contains(&connect.keep_alive) {
        return Err(Refused::new(
            rules.keep_alive_code,
            format!(
                "keep-alive {} s is outside {} to {} s",
                connect.keep_alive, rules.min_keep_alive, rules.max_keep_alive
            ),
        ));
    }
    let (device, mode) = match auth_type {
        Some(kind @ ("register" | "regnwl")) => {
            check_registration(registry, peer, connect, &client_id, kind)?
        }
        Some("connwl") => check_token(registry, peer, connect, &client_id)?,
        Some(other) => {
            return Err(Refused::new(
                REJECTED,
                format!("unknown authType {other:?}"),
            ));
        }
        None => {
            let wanted = if peer.tls { "2" } else { "3" };
            match client_id.get("securemode") {
                Some(mode) if mode == wanted => {}
                Some(mode) => {
                    let reason = format!("securemode {mode} where the transport asks for {wanted}");
                    return Err(Refused::new(BAD_CREDENTIALS, reason));
                }
                None => {
                    return Err(Refused::new(
                        BAD_CREDENTIALS,
                        "the client id names no securemode",
                    ));
                }
            }
            if let Some(owner) = peer.der.and_then(|der| registry.private().owner(der)) {
                let owner = owner.map_err(|reason| Refused::new(NOT_AUTHORIZED, reason))?;
                return Ok(Accepted {
                    device: check_certificate(&owner, connect)?,
                    mode: Mode::X509,
                    client_id: client_id.id.to_owned(),
                    auto_subscribe: client_id.get("_ss") == Some("1"),
                });
            }
            match peer
                .certificate
                .and_then(|digest| registry.by_certificate(digest))
            {
                Some(device) => (check_certificate(&device.id(), connect)?, Mode::X509),
                None => {
                    let device = check_secret(registry, peer, connect, &client_id)?;
                    match peer.psk {
                        None => (device, Mode::Secret),
                        Some(owner) if *owner == device => (device, Mode::Psk),
                        Some(owner) => {
                            let reason = format!("the pre-shared key is that of {owner}");
                            return Err(Refused {
                                device: Some(device),
                                ..Refused::new(BAD_CREDENTIALS, reason)
                            });
                        }
                    }
                }
            }
        }
    };
    Ok(Accepted {
        device,
        mode,
        client_id: client_id.id.to_owned(),
        auto_subscribe: client_id.get("_ss") == Some("1"),
    })
}

fn check_certificate(owner: &DeviceId, connect: &Connect) -> Result<DeviceId, Refused> {
    let own = format!("{}&{}", owner.device_name, owner.product_key);
    match connect.username.as_deref() {
        None | Some("" | "&") => Ok(owner.clone()),
        Some(name) if name == own => Ok(owner.clone()),
        Some(name) => Err(Refused {
            device: Some(owner.clone()),
            ..Refused::new(
                BAD_CREDENTIALS,
                format!("the certificate belongs to {owner}, not to {name:?}"),
            )
        }),
    }
}

/// The device that the user name `{deviceName}&{productKey}` claims.
fn claimed(connect: &Connect, peer: &Peer<'_>) -> Result<DeviceId, Refused> {
    let name = connect.username.as_deref().unwrap_or_default();
    match name.rsplit_once('&') {
        Some((device_name, product_key)) if !device_name.is_empty() && !product_key.is_empty() => {
            Ok(DeviceId {
                product_key: product_key.to_owned(),
                device_name: device_name.to_owned(),
            })
        }
        _ if matches!(name, "" | "&") => Err(match peer.certificate {
            Some(_) => Refused::new(
                NOT_AUTHORIZED,
                "the client certificate belongs to no registered device",
            ),
            None => Refused::new(
                BAD_CREDENTIALS,
                "neither a user name nor a client certificate",
            ),
        }),
        _ => Err(Refused::new(
            BAD_CREDENTIALS,
            "the user name is not {deviceName}&{productKey}",
        )),
    }
}

fn sign_method(client_id: &ClientId<'_>) -> Result<Method, Refused> {
    let name = client_id.get("signmethod");
    Method::named(name).ok_or_else(|| {
        Refused::new(
            BAD_CREDENTIALS,
            format!("unknown signmethod {:?}", name.unwrap_or_default()),
        )
    })
}

fn wrong_password(device: DeviceId, reason: &str) -> Refused {
    Refused {
        device: Some(device),
        password_ok: Some(false),
        ..Refused::new(BAD_CREDENTIALS, reason)
    }
}

fn check_secret(
    registry: &Registry,
    peer: &Peer<'_>,
    connect: &Connect,
    client_id: &ClientId<'_>,
) -> Result<DeviceId, Refused> {
    let id = claimed(connect, peer)?;
    let Some(device) = registry.device(&id) else {
        return Err(Refused {
            device: Some(id),
            ..Refused::new(NOT_AUTHORIZED, "no such device")
        });
    };
    if device.device_secret.is_empty() {
        let reason = "the device has no secret and came without its certificate";
        return Err(Refused {
            device: Some(id),
            ..Refused::new(BAD_CREDENTIALS, reason)
        });
    }
    let method = sign_method(client_id)?;
    let timestamp = client_id.get("timestamp");
    let content = sign::connect_content(client_id.id, &id.device_name, &id.product_key, timestamp);
    let password = connect.password.as_deref().unwrap_or_default();
    if !sign::verify(
        method,
        device.device_secret.as_bytes(),
        content.as_bytes(),
        password,
    ) {
        return Err(wrong_password(
            id,
            "the password is not the signature of these parameters",
        ));
    }
    Ok(id)
}

fn check_registration(
    registry: &Registry,
    peer: &Peer<'_>,
    connect: &Connect,
    client_id: &ClientId<'_>,
    kind: &str,
) -> Result<(DeviceId, Mode), Refused> {
    if !peer.tls {
        return Err(Refused::new(REJECTED, "registration needs TLS"));
    }
    match (kind, client_id.get("securemode")) {
        (_, Some("2")) | ("regnwl", Some("-2")) => {}
        _ => {
            return Err(Refused::new(
                REJECTED,
                "registration with a wrong securemode",
            ));
        }
    }
    let Some(random) = client_id.get("random").filter(|random| !random.is_empty()) else {
        return Err(Refused::new(REJECTED, "registration without random"));
    };
    let id = claimed(connect, peer)?;
    let mode = match kind {
        "regnwl" => Mode::RegisterNew,
        _ => Mode::Register,
    };
    let claim = Claim {
        device: &id,
        random,
        method: sign_method(client_id)?,
        signature: connect.password.as_deref().unwrap_or_default(),
        new_client: (mode == Mode::RegisterNew).then_some(client_id.id),
    };
    match registry.check_claim(&claim) {
        Ok(()) => Ok((id, mode)),
        Err(refusal) => Err(Refused {
            device: Some(id),
            password_ok: (refusal == Refusal::WrongSign).then_some(false),
            ..Refused::new(BAD_CREDENTIALS, refusal.reason())
        }),
    }
}

fn check_token(
    registry: &Registry,
    peer: &Peer<'_>,
    connect: &Connect,
    client_id: &ClientId<'_>,
) -> Result<(DeviceId, Mode), Refused> {
    if !peer.tls || client_id.get("securemode") != Some("-2") {
        return Err(Refused::new(
            REJECTED,
            "a connection with a token needs TLS and securemode -2",
        ));
    }
    let id = claimed(connect, peer)?;
    let token = connect.password.as_deref().unwrap_or_default();
    if registry.token_matches(&id, client_id.id, token) {
        return Ok((id, Mode::Token));
    }
    Err(wrong_password(
        id,
        "not the token of this device and client id",
    ))
}
