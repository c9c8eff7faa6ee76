//! What the commands print, and how they end.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

/// How a command ended other than well. The numbers are part of the interface (docs/cli.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// A file, a value or a device is not as it should be; nothing was sent.
    Input = 1,
    /// No connection: name, port, proxy, WebSocket.
    Network = 3,
    /// TLS: handshake or certificate.
    Tls = 4,
    /// The server refused the device.
    Refused = 5,
    /// A command of the script did not come to what it should.
    Script = 6,
    /// `doctor` found something.
    Findings = 7,
    /// Ctrl-C before the script was over.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed: one sentence without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Exit status.
    pub exit: Exit,
    /// The sentence; empty if everything has been said.
    pub text: String,
}

impl Problem {
    /// A problem with what was given.
    pub fn input(text: impl Into<String>) -> Self {
        Self::new(Exit::Input, text)
    }

    /// A problem with exit status `exit`.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Problem {
            exit,
            text: text.into(),
        }
    }
}

/// Standard output, as text or as JSON lines.
pub struct Output {
    json: bool,
    silent: bool,
}

impl Output {
    /// JSON lines or text.
    pub fn new(json: bool) -> Self {
        Output {
            json,
            silent: false,
        }
    }

    /// Output that goes nowhere, for a command that uses another's work.
    pub fn silent() -> Self {
        Output {
            json: false,
            silent: true,
        }
    }

    /// Whether it is JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One event: a line of JSON with `event` and the members of `fields`, or `text`.
    pub fn event(&self, event: &str, fields: Value, text: &str) {
        if self.silent {
            return;
        }
        let mut out = std::io::stdout().lock();
        // Who closed the pipe wants no more.
        let _ = if self.json {
            let mut object = Map::new();
            object.insert("event".into(), json!(event));
            if let Value::Object(members) = fields {
                object.extend(members);
            }
            writeln!(out, "{}", Value::Object(object))
        } else {
            writeln!(out, "{}", printable(text))
        };
        let _ = out.flush();
    }

    /// How it ended: an `error` event, or a line on standard error.
    pub fn problem(&self, problem: &Problem) {
        if problem.text.is_empty() {
            return;
        }
        if self.json {
            let fields = json!({"exit": problem.exit as u8, "text": problem.text});
            self.event("error", fields, "");
        } else {
            let _ = writeln!(std::io::stderr(), "iotx: {}", printable(&problem.text));
        }
    }
}

/// Text for a terminal: what others sent must not move its cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}
