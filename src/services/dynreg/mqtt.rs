//! Registration over MQTT, `register` and `regnwl` (spec dynamic-registration.md §3, §4).
//!
//! The answer is a message that nobody subscribes to, on a connection made for it alone.

use bytes::BytesMut;
use zeroize::{Zeroize, Zeroizing};

use super::{Applicant, Granted, Group, METHOD, Refused, answer, random};
use crate::hal::diagnostics::Stage;
use crate::hal::seam;
use crate::mqtt::{Engine, Event, Limits, Login, Publish};
use crate::services::http::{Error, exchange};
use crate::sign::platform::{registration_client_id, regnwl_client_id};
use crate::sign::{CLIENT_ID_MAX, INSTANCE_ID_MAX};
use crate::state;
use crate::transport::{DialBounds, Dialer, Link, LinkError, Security, Target};

/// From CONNECT to the answer, milliseconds: the server closes the connection after the same time.
pub const ANSWER_MS: u64 = 15_000;
/// Name resolution, TCP and TLS together, milliseconds.
const CONNECT_MS: u64 = 20_000;
/// How long DISCONNECT may take to be sent, milliseconds.
const DISCONNECT_MS: u64 = 1_000;
/// Longest packet either way, bytes.
const PACKET_MAX: usize = 3_072;
/// Bytes read at once.
const READ_MAX: usize = 1_024;
/// Messages that are no answer and are passed over, so that a server cannot keep us busy with them.
const STRAY_MAX: u32 = 64;

const TOPIC_REGISTER: &[u8] = b"/ext/register";
const TOPIC_REGNWL: &[u8] = b"/ext/regnwl";

/// Which registration is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// The device was created in the console; it is given its secret.
    Register {
        /// Id of a purchased instance.
        instance_id: Option<&'a str>,
    },
    /// The device is not known yet; it is given a client id and a token.
    WithoutPreRegistration {
        /// Id of a purchased instance.
        instance_id: Option<&'a str>,
        /// What tells physical devices of one name apart, 1 to 64 bytes.
        client_id: &'a str,
    },
}

impl Kind<'_> {
    fn check(&self) -> Result<(), Refused> {
        let (instance_id, client_id) = match *self {
            Kind::Register { instance_id } => (instance_id, None),
            Kind::WithoutPreRegistration {
                instance_id,
                client_id,
            } => (instance_id, Some(client_id)),
        };
        let fields = [
            (instance_id, INSTANCE_ID_MAX, "instance id"),
            (client_id, CLIENT_ID_MAX, "client id"),
        ];
        for (field, max, name) in fields {
            let Some(field) = field else { continue };
            if field.is_empty() || field.len() > max || !super::is_plain(field) {
                return Err(Refused::new(
                    Group::UserInput,
                    state::STATE_USER_INPUT_OUT_RANGE,
                    format!("{name} is not 1 to {max} characters without separators"),
                ));
            }
        }
        Ok(())
    }

    /// The client id with its parameters, for `random`.
    pub fn mqtt_client_id(&self, applicant: &Applicant<'_>, random: &str) -> String {
        match *self {
            Kind::Register { instance_id } => registration_client_id(
                METHOD,
                applicant.product_key,
                applicant.device_name,
                random,
                instance_id,
            ),
            Kind::WithoutPreRegistration {
                instance_id,
                client_id,
            } => regnwl_client_id(METHOD, client_id, random, instance_id),
        }
    }

    fn is_answer(&self, topic: &[u8]) -> bool {
        match self {
            Kind::Register { .. } => topic == TOPIC_REGISTER,
            // Documents name the one, other clients expect the other.
            Kind::WithoutPreRegistration { .. } => topic == TOPIC_REGISTER || topic == TOPIC_REGNWL,
        }
    }

    fn read(&self, payload: &[u8], applicant: &Applicant<'_>) -> Result<Granted, Refused> {
        match self {
            Kind::Register { .. } => answer::secret_over_mqtt(payload, applicant),
            Kind::WithoutPreRegistration { .. } => answer::token_over_mqtt(payload, applicant),
        }
    }
}

/// Registers `applicant` at `target`, which has to be protected by TLS. Blocks for 36 s at most: 20 s
/// to connect, 15 s for the answer, 1 s to disconnect.
pub fn register(
    dialer: &dyn Dialer,
    target: &Target,
    applicant: &Applicant<'_>,
    kind: &Kind<'_>,
) -> Result<Granted, Refused> {
    applicant.check()?;
    kind.check()?;
    if matches!(target.security, Security::Tcp) {
        return Err(Refused::new(
            Group::Mqtt,
            state::STATE_MQTT_CONNACK_IDENT_REJECT,
            "registration over MQTT needs TLS",
        ));
    }
    // Eight hex digits, as the platform's own clients send.
    let random = random(4)?;
    let login = Login {
        client_id: kind.mqtt_client_id(applicant, &random),
        username: format!("{}&{}", applicant.device_name, applicant.product_key),
        password: applicant.sign(&random),
        clean_session: true,
        omit_empty: false,
    };
    let mut engine = Engine::new(Limits {
        write_max: PACKET_MAX,
        read_max: PACKET_MAX,
        inflight_max: 1,
        request_timeout_ms: ANSWER_MS,
        keepalive_ms: 60_000,
    });
    let connect = engine
        .connect(&login)
        .map_err(|code| Refused::new(Group::Mqtt, code, "CONNECT is too large"))?;
    let bounds = DialBounds::default();
    let end = seam::uptime_ms().saturating_add(CONNECT_MS);
    let link = exchange::open(dialer, target, &bounds, end).map_err(|failure| {
        let code = match failure.stage {
            Stage::TlsVerify => state::ERROR_CERT_VERIFY_FAIL,
            _ => state::STATE_SYS_DEPEND_NWK_CLOSE,
        };
        Refused::new(Group::Mqtt, code, failure.text)
    })?;
    let deadline = seam::uptime_ms().saturating_add(ANSWER_MS);
    exchange::send(&*link, &connect, deadline).map_err(unsent)?;
    let message = await_answer(&mut engine, &*link, kind, deadline)?;
    part(&mut engine, &*link);
    let granted = kind.read(&message.payload, applicant);
    drop(engine);
    wipe(message);
    granted
}

/// Reads until the answer has come. Anything else on the way is passed over.
fn await_answer(
    engine: &mut Engine,
    link: &dyn Link,
    kind: &Kind<'_>,
    deadline: u64,
) -> Result<Publish, Refused> {
    let mut buffer = Zeroizing::new([0u8; READ_MAX]);
    let mut stray = 0;
    loop {
        let now = seam::uptime_ms();
        while let Some(event) = engine.next_event(now).map_err(|error| {
            let code = state::STATE_MQTT_DESERIALIZE_PUB_ERROR;
            Refused::new(Group::Mqtt, code, format!("malformed packet: {error}"))
        })? {
            match event {
                Event::Refused { code } => return Err(refused(code)),
                Event::Message(message) => {
                    // Not 0: QoS 1, which wants its PUBACK; it goes out with DISCONNECT.
                    if message.pkid != 0 {
                        engine.acknowledge(message.pkid);
                    }
                    if kind.is_answer(message.topic.bytes()) {
                        return Ok(message);
                    }
                    stray += 1;
                    if stray > STRAY_MAX {
                        return Err(no_answer("the server sends other messages only"));
                    }
                    log::debug!("a message that is no answer to the registration");
                }
                Event::TooLarge { .. } => return Err(no_answer("the answer is too large")),
                _ => {}
            }
        }
        if now >= deadline {
            return Err(match engine.is_connected() {
                true => no_answer("no answer within 15 s"),
                false => Refused::new(
                    Group::Mqtt,
                    state::STATE_SYS_DEPEND_NWK_TIMEOUT,
                    "no CONNACK within 15 s",
                ),
            });
        }
        let wanted = engine.wanted().clamp(1, READ_MAX);
        match link.read(&mut buffer[..], wanted, exchange::slice(deadline)) {
            Ok(count) => engine.receive(&buffer[..count.min(READ_MAX)]),
            Err(error) if engine.is_connected() => {
                return Err(no_answer(&match error {
                    LinkError::Closed => {
                        "the server closed the connection without an answer".into()
                    }
                    LinkError::Failed(text) => text,
                }));
            }
            Err(error) => return Err(unsent(Error::Broken(error.to_string()))),
        }
    }
}

/// Wipes the secret in the buffer it was received in, which is this message's alone once the engine
/// and the topic are gone.
fn wipe(message: Publish) {
    let Publish { topic, payload, .. } = message;
    drop(topic);
    if let Ok(mut bytes) = payload.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}

/// Says goodbye; whether it arrives changes nothing.
fn part(engine: &mut Engine, link: &dyn Link) {
    engine.disconnect();
    let bytes = engine.take_output(BytesMut::new());
    let deadline = seam::uptime_ms().saturating_add(DISCONNECT_MS);
    if exchange::send(link, &bytes, deadline).is_err() {
        log::debug!("DISCONNECT of the registration could not be sent");
    }
}

fn no_answer(text: &str) -> Refused {
    Refused::new(Group::Mqtt, state::STATE_HTTP_DYNREG_INVALID_DS, text)
}

fn unsent(error: Error) -> Refused {
    Refused::new(Group::Mqtt, error.code(), format!("connack: {error}"))
}

fn refused(code: u8) -> Refused {
    let (state_code, text) = match code {
        1 => (
            state::STATE_MQTT_CONNACK_VERSION_UNACCEPT,
            "protocol version not accepted",
        ),
        2 => (
            state::STATE_MQTT_CONNACK_IDENT_REJECT,
            "a parameter is wrong, or the connection is not TLS",
        ),
        3 => (
            state::STATE_MQTT_CONNACK_SERVICE_NA,
            "the server has an error",
        ),
        4 => (
            state::STATE_MQTT_CONNACK_BAD_USERDATA,
            "authentication failed: product secret, or device already active",
        ),
        5 => (state::STATE_MQTT_CONNACK_NOT_AUTHORIZED, "not authorized"),
        _ => (
            state::STATE_MQTT_CONNACK_UNKNOWN_ERROR,
            "unknown return code",
        ),
    };
    Refused::new(Group::Mqtt, state_code, format!("CONNACK {code}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::digest::hmac_sha256;

    #[test]
    fn client_ids_are_spelled_as_documented() {
        let applicant = Applicant {
            product_key: "pk",
            product_secret: "ps",
            device_name: "dn",
            hmac: hmac_sha256,
        };
        let id = |kind: Kind<'_>| kind.mqtt_client_id(&applicant, "0A");
        let plain = Kind::Register { instance_id: None };
        assert_eq!(
            id(plain),
            "pk.dn|authType=register,random=0A,signmethod=hmacsha256,securemode=2|"
        );
        assert_eq!(
            id(Kind::Register {
                instance_id: Some("iot-1")
            }),
            "pk.dn|authType=register,random=0A,signmethod=hmacsha256,securemode=2,instanceId=iot-1|"
        );
        assert_eq!(
            id(Kind::WithoutPreRegistration {
                instance_id: None,
                client_id: "mac"
            }),
            "mac|securemode=2,authType=regnwl,random=0A,signmethod=hmacsha256|"
        );
        assert_eq!(
            id(Kind::WithoutPreRegistration {
                instance_id: Some("iot-1"),
                client_id: "mac"
            }),
            "mac|securemode=-2,authType=regnwl,random=0A,signmethod=hmacsha256,instanceId=iot-1|"
        );
    }
}
