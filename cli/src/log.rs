//! The log of the library: to standard error with --verbose, otherwise nowhere.

use std::io::Write;

use log::{LevelFilter, Log, Metadata, Record};

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let module = record.target();
        // A closed standard error is no reason to stop.
        let _ = writeln!(
            std::io::stderr(),
            "[{}] {module}: {}",
            record.level().as_str().to_ascii_lowercase(),
            record.args()
        );
    }

    fn flush(&self) {}
}

/// Installs it; the library then installs none of its own.
pub fn install(verbose: bool) {
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(if verbose {
            LevelFilter::Debug
        } else {
            LevelFilter::Off
        });
    }
}
