//! The log of the library, printed through the C side.
//!
//! [`init`] installs a `log::Log` once. Every message becomes one line
//! `[level] module: text`, without colours and with control characters replaced, and goes to the C
//! function `iotx_log_write`. The shim defines that function weakly: it prints through `HAL_Printf`,
//! and an application may define its own. The line is an argument there, never a format.

use std::cell::Cell;
use std::ffi::c_char;
use std::fmt::{self, Write as _};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use ::log::{Level, LevelFilter, Log, Metadata, Record};

unsafe extern "C" {
    /// Prints one line without its line end; weak in the shim.
    fn iotx_log_write(line: *const c_char);
}

/// `IOT_LOG_INFO`, the level before any `IOT_SetLogLevel`.
const DEFAULT_LEVEL: u32 = 4;
/// `IOT_LOG_DEBUG`, the highest level.
pub(super) const MAX_LEVEL: u32 = 5;
/// Size of a line in bytes with its NUL; longer lines are cut and end in "...".
const LINE_SIZE: usize = 512;

static LEVEL: AtomicU32 = AtomicU32::new(DEFAULT_LEVEL);
static INIT: Once = Once::new();
static LOGGER: CLogger = CLogger;

struct CLogger;

thread_local! {
    /// Set while this thread is inside `iotx_log_write`: what that function causes is not logged.
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

/// Installs the logger on the first call. A Rust program that has installed its own keeps it.
/// Any thread; called by every exported function that may log.
pub fn init() {
    INIT.call_once(|| {
        if ::log::set_logger(&LOGGER).is_ok() {
            ::log::set_max_level(filter(level()));
        }
    });
}

/// The level in force, 0...6.
pub fn level() -> u32 {
    LEVEL.load(Ordering::Relaxed)
}

/// Changes the level and prints one line that states it; a value above 5 changes nothing and prints
/// a note.
pub(super) fn set_level(level: u32) {
    if level > MAX_LEVEL {
        print_line(format_args!(
            "[error] log: level {level} is unknown, use 0 to {MAX_LEVEL}"
        ));
        return;
    }
    store_level(level);
    print_line(format_args!("[info] log: level set to {level}"));
}

/// Changes the level without a word. C parts know one level more than the interface, `LOG_FLOW_LEVEL`; a
/// higher one counts as that.
pub(super) fn store_level(level: u32) {
    let level = level.min(MAX_LEVEL + 1);
    LEVEL.store(level, Ordering::Relaxed);
    ::log::set_max_level(filter(level));
}

/// Prints one line whatever the level is.
pub(super) fn print_line(text: fmt::Arguments<'_>) {
    let mut line = Line::new();
    // Line::write_str cuts and never fails.
    let _ = line.write_fmt(text);
    line.print();
}

/// The filter of the log crate for a level of the interface.
fn filter(level: u32) -> LevelFilter {
    match level {
        0 => LevelFilter::Off,
        1 | 2 => LevelFilter::Error,
        3 => LevelFilter::Warn,
        4 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    }
}

impl Log for CLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= filter(level())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let name = match record.level() {
            Level::Error => "error",
            Level::Warn => "warning",
            Level::Info => "info",
            Level::Debug | Level::Trace => "debug",
        };
        let target = record.target();
        let module = target.strip_prefix("iotx::").unwrap_or(target);
        print_line(format_args!("[{name}] {module}: {}", record.args()));
    }

    fn flush(&self) {}
}

/// A line under construction, on the stack.
struct Line {
    bytes: [u8; LINE_SIZE],
    len: usize,
    cut: bool,
}

/// What a line that was cut ends in.
const ELLIPSIS: &[u8] = b"...";

impl Line {
    fn new() -> Self {
        Line {
            bytes: [0; LINE_SIZE],
            len: 0,
            cut: false,
        }
    }

    /// Hands the line to the C side, unless this thread is already there.
    fn print(mut self) {
        if self.cut {
            self.bytes[self.len..self.len + ELLIPSIS.len()].copy_from_slice(ELLIPSIS);
            self.len += ELLIPSIS.len();
        }
        self.bytes[self.len] = 0;
        // A thread whose locals are gone is ending; its line is still printed.
        if WRITING
            .try_with(|writing| writing.replace(true))
            .unwrap_or(false)
        {
            return;
        }
        // SAFETY: the buffer is terminated and outlives the call.
        unsafe { iotx_log_write(self.bytes.as_ptr().cast()) };
        let _ = WRITING.try_with(|writing| writing.set(false));
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            // A line end or an escape sequence from outside must not forge or hide lines.
            let shown = if character.is_control() {
                '?'
            } else {
                character
            };
            // Room is kept for the ellipsis and the NUL.
            if self.cut || self.len + shown.len_utf8() > LINE_SIZE - 1 - ELLIPSIS.len() {
                self.cut = true;
                break;
            }
            self.len += shown.encode_utf8(&mut self.bytes[self.len..]).len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_and_cleaned() {
        let mut line = Line::new();
        line.write_str("a\nb\x1b[31m\0c%n").expect("never fails");
        assert_eq!(&line.bytes[..line.len], b"a?b?[31m?c%n");
        assert!(!line.cut);

        let mut line = Line::new();
        line.write_str(&"\u{e9}".repeat(LINE_SIZE))
            .expect("never fails");
        line.write_str("more").expect("never fails");
        assert!(line.cut);
        assert!(line.len <= LINE_SIZE - 1 - ELLIPSIS.len());
        assert!(std::str::from_utf8(&line.bytes[..line.len]).is_ok());
    }

    #[test]
    fn levels_map_to_filters() {
        let filters: Vec<_> = (0..7).map(filter).collect();
        use LevelFilter::{Debug, Error, Info, Off, Warn};
        assert_eq!(filters, [Off, Error, Error, Warn, Info, Debug, Debug]);
    }
}
