//! The log of the library, printed through the C side.
//!
//! [`init`] installs a `log::Log` once. Every message becomes one line
//! `[level] module: text`, without colours and with control characters replaced, and goes to the C
//! function `iotx_log_write`. The shim defines that function weakly: it prints through `HAL_Printf`,
//! and an application may define its own, or give a callback to [`iotx_log_set_callback`]. The line is an
//! argument there, never a format.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, PoisonError, RwLock};

use ::log::{Level, LevelFilter, Log, Metadata, Record};

use super::client_types::iotx_log_fn;
use crate::state;

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

static SINK: RwLock<Option<Sink>> = RwLock::new(None);

/// The callback of the application with its context.
#[derive(Clone, Copy)]
struct Sink {
    function: unsafe extern "C" fn(*mut c_void, c_int, *const c_char),
    /// An address, only handed back.
    context: usize,
}

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

/// Sends the log of the process to `function` instead of `iotx_log_write`, from `level` on, which goes
/// from 0 (nothing) to 5 (debug) as in `IOT_SetLogLevel`; NULL takes the function away again.
///
/// It is called with `context`, the level of the line and the line without its end, from any thread, without a
/// lock held; what it causes on the same thread is not logged. A call under way in another thread may still
/// reach the old function after the return. Lines never hold secrets. Returns 0, or
/// `STATE_USER_INPUT_OUT_RANGE` for another level.
///
/// # Safety
/// `function` is NULL or may be called with `context` from any thread until another takes its place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_log_set_callback(
    function: iotx_log_fn,
    context: *mut c_void,
    level: c_int,
) -> c_int {
    super::barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        let Some(level) = u32::try_from(level)
            .ok()
            .filter(|level| *level <= MAX_LEVEL)
        else {
            return state::STATE_USER_INPUT_OUT_RANGE;
        };
        let sink = function.map(|function| Sink {
            function,
            context: context as usize,
        });
        // Each access replaces or reads the value whole.
        *SINK.write().unwrap_or_else(PoisonError::into_inner) = sink;
        store_level(level);
        state::STATE_SUCCESS
    })
}

/// The level as number of the interface for a line of no level of its own.
const PLAIN_LEVEL: c_int = 4;

/// Prints one line whatever the level is.
pub(super) fn print_line(text: fmt::Arguments<'_>) {
    print_line_at(PLAIN_LEVEL, text);
}

fn print_line_at(level: c_int, text: fmt::Arguments<'_>) {
    let mut line = Line::new();
    // Line::write_str cuts and never fails.
    let _ = line.write_fmt(text);
    line.print(level);
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
        let (level, name) = match record.level() {
            Level::Error => (2, "error"),
            Level::Warn => (3, "warning"),
            Level::Info => (4, "info"),
            Level::Debug | Level::Trace => (5, "debug"),
        };
        let target = record.target();
        let module = target.strip_prefix("iotx::").unwrap_or(target);
        print_line_at(level, format_args!("[{name}] {module}: {}", record.args()));
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
    fn print(mut self, level: c_int) {
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
        let text = self.bytes.as_ptr().cast();
        let sink = *SINK.read().unwrap_or_else(PoisonError::into_inner);
        match sink {
            // SAFETY: the application promised that its function may be called with its context;
            // the buffer is terminated and outlives the call.
            Some(sink) => unsafe { (sink.function)(sink.context as *mut c_void, level, text) },
            // SAFETY: the buffer is terminated and outlives the call.
            None => unsafe { iotx_log_write(text) },
        }
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
