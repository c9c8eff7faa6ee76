//! The event log: a JSON object for each happening, kept for the control port, written to a file, and told
//! on the console in words.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Events kept for the control port; older ones are forgotten (the file has them all).
const KEPT: usize = 100_000;

/// The log of one platform. Shared by all threads.
pub struct Events {
    inner: Mutex<Inner>,
    console: bool,
}

struct Inner {
    next: u64,
    kept: VecDeque<Value>,
    file: Option<File>,
}

impl Events {
    /// A log that writes to `file` (appending) and, if `console`, to standard output.
    pub fn new(file: Option<&Path>, console: bool) -> io::Result<Self> {
        let file = match file {
            Some(path) => Some(File::options().create(true).append(true).open(path)?),
            None => None,
        };
        Ok(Self {
            inner: Mutex::new(Inner {
                next: 0,
                kept: VecDeque::new(),
                file,
            }),
            console,
        })
    }

    /// Records an event: `fields` must be a JSON object; `n`, `t` and `event` are put in front.
    pub fn record(&self, event: &str, fields: Value) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut inner = self
            .inner
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        let t = u64::try_from(now.as_millis()).unwrap_or_default();
        let mut value = json!({"n": inner.next, "t": t, "event": event});
        if let (Value::Object(object), Value::Object(fields)) = (&mut value, fields) {
            object.extend(fields);
        }
        inner.next += 1;
        if let Some(file) = &mut inner.file {
            // A full disk must not stop the platform; the events stay readable by the control port.
            let _ = writeln!(file, "{value}");
        }
        if self.console
            && let Some(text) = crate::console::sentence(&value)
        {
            let _ = writeln!(io::stdout().lock(), "{} {text}", crate::console::clock(now));
        }
        if inner.kept.len() == KEPT {
            inner.kept.pop_front();
        }
        inner.kept.push_back(value);
    }

    /// The kept events from index `since` on, and the index of the next one to come.
    pub fn since(&self, since: u64) -> (Vec<Value>, u64) {
        let inner = self
            .inner
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        let oldest = inner.next - inner.kept.len() as u64;
        let skip = usize::try_from(since.saturating_sub(oldest)).unwrap_or(usize::MAX);
        (inner.kept.iter().skip(skip).cloned().collect(), inner.next)
    }
}
