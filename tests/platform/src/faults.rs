//! Faults on request: what to do wrong, and how often.

use std::collections::HashMap;
use std::sync::Mutex;

/// Faults without a value.
const PLAIN: [&str; 45] = [
    "drop-after-accept",
    "stall-tls",
    "drop-in-tls",
    "no-connack",
    "garbage-connack",
    "truncate-connack",
    "close-after-connack",
    "half-open",
    "no-puback",
    "no-suback",
    "no-unsuback",
    "suback-80",
    "no-pingresp",
    "byte-by-byte",
    "coalesce",
    "eof",
    "reset-after-connack",
    "dup-publish",
    "ws-accept",
    "ws-no-protocol",
    "ws-redirect",
    "ws-text",
    "ws-masked",
    "ws-ping",
    "ws-rsv",
    "ws-stall",
    "proxy-stall",
    "proxy-garbage",
    "proxy-close",
    "http-chunked",
    "http-endless",
    "http-truncate",
    "http-redirect",
    "http-huge",
    "http-wrong-type",
    "http-other-device",
    "http-stall",
    "http-no-length",
    "reg-never",
    "reg-close",
    "reg-wrong-topic",
    "reg-nwl-topic",
    "reg-other-device",
    "reg-wrong-types",
    "reg-truncate",
];

/// Faults with a number: name and largest value.
const NUMBERED: [(&str, u64); 19] = [
    ("connack", 255),
    ("delay-puback", 600_000),
    ("delay", 600_000),
    ("oversize", 200_000_000),
    ("close-after", 600_000),
    ("ws-status", 999),
    ("proxy-status", 999),
    ("proxy-headers", 1_000_000),
    ("ws-headers", 1_000_000),
    ("ws-close", 4999),
    ("ws-fragment", 1_000_000),
    ("ws-oversize", u64::MAX),
    ("http-status", 999),
    ("http-code", 999_999),
    ("http-secret", 100_000),
    ("reg-connack", 255),
    ("reg-delay", 600_000),
    ("reg-huge", 10_000_000),
    ("reg-secret", 100_000),
];

/// Numbers of those that may be given without one.
const DEFAULTS: [(&str, u64); 2] = [("ws-fragment", 1), ("ws-oversize", 1 << 32)];

/// Values of `malformed`.
const MALFORMED: [&str; 12] = [
    "connack", "publish", "puback", "suback", "unsuback", "pingresp", "type0", "type15", "length",
    "qos3", "pid0", "utf8",
];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    number: u64,
    /// Applications left; `None` is without end.
    left: Option<u64>,
}

/// The table of active faults of one platform.
#[derive(Debug, Default)]
pub struct Faults {
    active: Mutex<HashMap<String, Fault>>,
}

impl Faults {
    /// Activates a fault: `name[=value][:count]`, e.g. `no-connack:2` or `delay=50`. Returns its name.
    pub fn set(&self, spec: &str) -> Result<String, String> {
        let (body, left) = match spec.rsplit_once(':') {
            Some((body, count)) => match count.parse() {
                Ok(count) if count > 0 => (body, Some(count)),
                _ => {
                    return Err(format!(
                        "fault {spec:?}: {count:?} is not a count of at least 1"
                    ));
                }
            },
            None => (spec, None),
        };
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        let (name, number) = match value {
            None if PLAIN.contains(&name) => (name.to_owned(), 0),
            None if DEFAULTS.iter().any(|(known, _)| *known == name) => {
                let number = DEFAULTS.iter().find(|(known, _)| *known == name);
                (name.to_owned(), number.map_or(0, |(_, number)| *number))
            }
            Some(kind) if name == "malformed" && MALFORMED.contains(&kind) => {
                (format!("malformed={kind}"), 0)
            }
            Some(value) if NUMBERED.iter().any(|(known, _)| *known == name) => {
                let most = NUMBERED
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map_or(0, |(_, most)| *most);
                match value.parse() {
                    Ok(number) if number <= most => (name.to_owned(), number),
                    _ => {
                        return Err(format!(
                            "fault {spec:?}: the value must be a number up to {most}"
                        ));
                    }
                }
            }
            _ => {
                return Err(format!(
                    "unknown fault {spec:?}; known are {}",
                    Self::known().join(", ")
                ));
            }
        };
        self.lock().insert(name.clone(), Fault { number, left });
        Ok(name)
    }

    /// Switches one fault off, by its name; whether it was active.
    pub fn unset(&self, name: &str) -> bool {
        self.lock().remove(name).is_some()
    }

    /// Switches all faults off.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The active faults, in the form of [`Faults::set`].
    pub fn active(&self) -> Vec<String> {
        let mut list: Vec<String> = self
            .lock()
            .iter()
            .map(|(name, fault)| {
                let value = if NUMBERED.iter().any(|(known, _)| known == name) {
                    format!("={}", fault.number)
                } else {
                    String::new()
                };
                let count = fault
                    .left
                    .map(|left| format!(":{left}"))
                    .unwrap_or_default();
                format!("{name}{value}{count}")
            })
            .collect();
        list.sort();
        list
    }

    /// Uses the fault once, if it is active; its number (0 for faults without one).
    pub fn take(&self, name: &str) -> Option<u64> {
        let mut active = self.lock();
        let fault = active.get_mut(name)?;
        let number = fault.number;
        if let Some(left) = &mut fault.left {
            *left -= 1;
            if *left == 0 {
                active.remove(name);
            }
        }
        Some(number)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Fault>> {
        self.active
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }

    /// All faults, with `=N` behind those that take a number.
    pub fn known() -> Vec<String> {
        let numbered = NUMBERED.iter().map(|(name, _)| format!("{name}=N"));
        let malformed = MALFORMED.iter().map(|kind| format!("malformed={kind}"));
        PLAIN
            .iter()
            .map(|name| (*name).to_owned())
            .chain(numbered)
            .chain(malformed)
            .collect()
    }
}

/// Bytes of a broken packet of that kind (a value of `malformed`).
pub fn malformed(kind: &str, packet_id: u16) -> Vec<u8> {
    let [high, low] = packet_id.to_be_bytes();
    match kind {
        // Three bytes of body where the standard has two.
        "connack" => vec![0x20, 0x03, 0x00, 0x00, 0x00],
        // Topic length reaches behind the end of the packet.
        "publish" => vec![0x30, 0x04, 0x00, 0x10, b'/', b'a'],
        // Body of one byte: no room for the packet identifier.
        "puback" => vec![0x40, 0x01, high],
        // Return code 3 does not exist.
        "suback" => vec![0x90, 0x03, high, low, 0x03],
        "unsuback" => vec![0xB0, 0x01, high],
        // PINGRESP has no body.
        "pingresp" => vec![0xD0, 0x01, 0x00],
        "type0" => vec![0x00, 0x00],
        "type15" => vec![0xF0, 0x00],
        // The remaining length ends after at most four bytes.
        "length" => vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        "qos3" => vec![0x36, 0x06, 0x00, 0x02, b'/', b'a', 0x00, 0x01],
        "pid0" => vec![0x32, 0x06, 0x00, 0x02, b'/', b'a', 0x00, 0x00],
        // 0xC3 opens a two-byte character that 0x28 does not continue.
        "utf8" => vec![0x30, 0x05, 0x00, 0x03, b'/', 0xC3, 0x28],
        _ => Vec::new(),
    }
}

/// 16 bytes that are no MQTT packet, the same in every run so that a failure can be repeated.
pub fn garbage() -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    });
    // The first byte is a packet type that does not exist.
    std::iter::once(0xFF).chain(bytes).take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_parsed_counted_and_refused() {
        let faults = Faults::default();
        assert_eq!(faults.set("no-connack:2").as_deref(), Ok("no-connack"));
        assert_eq!(faults.take("no-connack"), Some(0));
        assert_eq!(faults.take("no-connack"), Some(0));
        assert_eq!(faults.take("no-connack"), None);
        assert_eq!(faults.set("connack=255").as_deref(), Ok("connack"));
        assert_eq!(faults.take("connack"), Some(255));
        assert_eq!(faults.take("connack"), Some(255));
        assert_eq!(
            faults.set("malformed=utf8:1").as_deref(),
            Ok("malformed=utf8")
        );
        assert_eq!(faults.active(), ["connack=255", "malformed=utf8:1"]);
        // The number may be left out.
        assert_eq!(faults.set("ws-fragment:3").as_deref(), Ok("ws-fragment"));
        assert_eq!(
            faults.set("ws-oversize=18446744073709551615").as_deref(),
            Ok("ws-oversize")
        );
        let active = [
            "connack=255",
            "malformed=utf8:1",
            "ws-fragment=1:3",
            "ws-oversize=18446744073709551615",
        ];
        assert_eq!(faults.active(), active);
        assert_eq!(faults.take("malformed=utf8"), Some(0));
        faults.clear();
        assert_eq!(faults.take("connack"), None);
        for wrong in [
            "",
            "nonsense",
            "connack",
            "connack=256",
            "connack=x",
            "no-connack=1",
            "no-connack:0",
            "malformed=x",
            "delay=-1",
            "ws-close",
            "ws-close=5000",
            "ws-text=1",
        ] {
            assert!(faults.set(wrong).is_err(), "{wrong}");
        }
        assert!(faults.active().is_empty());
    }
}
