//! Secrets: read from files or standard input, written to files that only their owner reads.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::output::Problem;

/// Longest secret, bytes.
const MAX: u64 = 4096;

/// Reads the secret in the file `path`, or on standard input for `-`; one line end behind it does not count.
pub fn read(path: &Path, what: &str) -> Result<Zeroizing<String>, Problem> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX as usize + 1));
    let fail = |error: std::io::Error| {
        Problem::input(format!("{what}: cannot read {}: {error}", path.display()))
    };
    if path == Path::new("-") {
        let mut input = std::io::stdin().lock().take(MAX + 1);
        input.read_to_end(&mut bytes).map_err(fail)?;
    } else {
        let file = fs::File::open(path).map_err(fail)?;
        file.take(MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
    }
    if bytes.len() as u64 > MAX {
        return Err(Problem::input(format!("{what} is longer than {MAX} bytes")));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Problem::input(format!("{what} is not UTF-8 text")))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Problem::input(format!("{what} is empty")));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// Writes `text` to `path` with mode 0600, whole or not at all. An existing file stays unless `force`.
pub fn write(path: &Path, text: &str, force: bool) -> Result<(), Problem> {
    let fail =
        |error: std::io::Error| Problem::input(format!("cannot write {}: {error}", path.display()));
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if force {
            fs::rename(temporary, path)
        } else {
            // Unlike a rename this fails if the file exists.
            fs::hard_link(temporary, path)?;
            fs::remove_file(temporary)
        }
    })();
    written.map_err(|error| {
        let _ = fs::remove_file(temporary);
        fail(error)
    })
}
