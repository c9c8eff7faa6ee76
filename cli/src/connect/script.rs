//! The commands of `connect`, one a line.

use std::time::{Duration, Instant};

use super::session::Session;

/// Longest `wait` and `sleep`.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Subscribe to a filter with a QoS.
    Sub(String, u8),
    /// End a subscription.
    Unsub(String),
    /// Publish to a topic with a QoS.
    Pub(String, String, u8),
    /// Answer RRPC requests, with this text or with what they hold.
    Rrpc(Option<String>),
    /// Wait until so many messages have come, within a time.
    Wait(u64, Duration),
    /// Let time go by.
    Sleep(Duration),
    /// End.
    Quit,
    /// Say which commands there are.
    Help,
}

/// What `help` says.
pub const HELP: &str = "\
sub FILTER [QOS]               subscribe; {pk} and {dn} stand for the names of the device
unsub FILTER                   end a subscription
pub TOPIC PAYLOAD              publish with QoS 0; pub1 with QoS 1. The payload is the rest of the line
rrpc [PAYLOAD]                 answer RRPC requests, with PAYLOAD or with their own content
wait N [messages] within TIME  fail unless N messages come; TIME as 500ms, 5s, 2m
sleep TIME
quit";

/// Reads a line; `None` for an empty one and for a comment (`#`).
pub fn parse(line: &str) -> Result<Option<Command>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim_start();
    let none_left = |command| match rest {
        "" => Ok(command),
        _ => Err(format!("{word} takes nothing behind it")),
    };
    Ok(Some(match word {
        "sub" => {
            let mut parts = rest.split_whitespace();
            match (parts.next(), parts.next(), parts.next()) {
                (Some(filter), None, None) => Command::Sub(filter.to_owned(), 0),
                (Some(filter), Some("0"), None) => Command::Sub(filter.to_owned(), 0),
                (Some(filter), Some("1"), None) => Command::Sub(filter.to_owned(), 1),
                _ => return Err("use: sub FILTER [0|1]".to_owned()),
            }
        }
        "unsub" if !rest.is_empty() && !rest.contains(char::is_whitespace) => {
            Command::Unsub(rest.to_owned())
        }
        "unsub" => return Err("use: unsub FILTER".to_owned()),
        "pub" | "pub1" => {
            let (topic, payload) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            if topic.is_empty() {
                return Err(format!("use: {word} TOPIC PAYLOAD"));
            }
            let qos = u8::from(word == "pub1");
            Command::Pub(topic.to_owned(), payload.trim_start().to_owned(), qos)
        }
        "rrpc" => Command::Rrpc((!rest.is_empty()).then(|| rest.to_owned())),
        "wait" => {
            let parts: Vec<&str> = rest
                .split_whitespace()
                .filter(|part| !matches!(*part, "message" | "messages"))
                .collect();
            let wrong = || "use: wait N messages within TIME".to_owned();
            match parts.as_slice() {
                [count, "within", time] => {
                    Command::Wait(count.parse().map_err(|_| wrong())?, duration(time)?)
                }
                _ => return Err(wrong()),
            }
        }
        "sleep" => Command::Sleep(duration(rest)?),
        "quit" | "exit" => none_left(Command::Quit)?,
        "help" | "?" => none_left(Command::Help)?,
        _ => return Err(format!("unknown command {word:?}; try help")),
    }))
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; use 500ms, 5s or 2m");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let time = match &text[digits.len()..] {
        "ms" => Duration::from_millis(number),
        "s" | "" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    };
    if time > LONGEST {
        return Err(wrong());
    }
    Ok(time)
}

/// Runs a command. `Ok(false)` ends the session.
pub fn run(command: &Command, session: &mut Session<'_>) -> Result<bool, String> {
    match command {
        Command::Sub(filter, qos) => session.subscribe(filter, *qos)?,
        Command::Unsub(filter) => session.unsubscribe(filter)?,
        Command::Pub(topic, payload, qos) => session.publish(topic, payload.as_bytes(), *qos)?,
        Command::Rrpc(answer) => {
            session.subscribe("/sys/{pk}/{dn}/rrpc/request/+", 0)?;
            session.rrpc = Some(answer.as_ref().map(|text| text.as_bytes().to_vec()));
        }
        Command::Wait(count, time) => {
            let start = Instant::now();
            // Messages that came while earlier commands ran count as well.
            while session.received < *count {
                let left = time.saturating_sub(start.elapsed());
                if left.is_zero() || session.stopped() {
                    return Err(format!(
                        "{} of {count} messages within {time:?}",
                        session.received
                    ));
                }
                session.look(left.as_millis().clamp(1, 50) as u64);
            }
            session.received -= count;
        }
        Command::Sleep(time) => {
            let end = Instant::now() + *time;
            while Instant::now() < end && !session.stopped() {
                session.look(50);
            }
        }
        Command::Quit => return Ok(false),
        Command::Help => {}
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_are_understood() {
        let sub = |filter: &str, qos| Command::Sub(filter.to_owned(), qos);
        let publish = |topic: &str, payload: &str, qos| {
            Command::Pub(topic.to_owned(), payload.to_owned(), qos)
        };
        let cases = [
            ("sub a/+", sub("a/+", 0)),
            ("  sub   a/+  1 ", sub("a/+", 1)),
            ("unsub a", Command::Unsub("a".to_owned())),
            ("pub a", publish("a", "", 0)),
            ("pub1 a {\"b\": 1}", publish("a", "{\"b\": 1}", 1)),
            ("rrpc", Command::Rrpc(None)),
            ("rrpc all fine", Command::Rrpc(Some("all fine".to_owned()))),
            (
                "wait 2 messages within 5s",
                Command::Wait(2, Duration::from_secs(5)),
            ),
            (
                "wait 1 within 250ms",
                Command::Wait(1, Duration::from_millis(250)),
            ),
            ("sleep 2m", Command::Sleep(Duration::from_secs(120))),
            ("quit", Command::Quit),
            ("help", Command::Help),
        ];
        for (line, want) in cases {
            assert_eq!(parse(line), Ok(Some(want)), "{line}");
        }
        for line in ["", "   ", "# pub a b"] {
            assert_eq!(parse(line), Ok(None), "{line}");
        }
    }

    #[test]
    fn commands_that_are_refused() {
        for line in [
            "sub",
            "sub a 2",
            "sub a 1 b",
            "unsub",
            "unsub a b",
            "pub",
            "wait",
            "wait x within 5s",
            "wait 1",
            "wait 1 within 5 s",
            "wait 1 within 5h",
            "sleep",
            "sleep s",
            "sleep 9999999999m",
            "sleep 18446744073709551615m",
            "quit now",
            "publish a b",
            "wait -1 within 5s",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
