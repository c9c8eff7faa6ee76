//! Whose HAL is in use: one log line, and the same text for C.

use std::ffi::{c_char, c_int};
use std::fmt::{self, Write as _};
use std::sync::Once;

use super::{barrier, cstr};
use crate::hal::seam::{self, Owner};

/// The groups as one text, on the stack.
struct Text {
    bytes: [u8; 80],
    len: usize,
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self
            .bytes
            .get_mut(self.len..self.len + text.len())
            .ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

fn text() -> Text {
    let mut text = Text {
        bytes: [0; 80],
        len: 0,
    };
    for (group, owner) in seam::in_use() {
        let space = if text.len == 0 { "" } else { " " };
        let owner = match owner {
            Owner::Default => "default",
            Owner::Port => "port",
            Owner::Mixed => "mixed",
        };
        // Five short words fit.
        let _ = write!(text, "{space}{group}={owner}");
    }
    text
}

/// Logs the groups, once in the process.
pub(super) fn announce() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let text = text();
        log::info!("HAL: {}", String::from_utf8_lossy(&text.bytes[..text.len]));
    });
}

/// Writes which groups of the HAL are the application's own, e.g.
/// `os=port tcp=mixed tls=default kv=default data=port`, with its NUL.
///
/// `port`: all of the group is the application's; `mixed`: some of it. `data` stands for
/// `iotx_ca_crt`, `g_cli_crt` and `g_cli_key`, defined or assigned. Returns the length, or -1 when
/// `text` is NULL or `size` is too small (80 is enough). Any thread; the log has the same line at the
/// first `IOT_MQTT_Construct`.
///
/// # Safety
/// `text` is NULL or has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_hal_in_use(text: *mut c_char, size: c_int) -> c_int {
    barrier::guard(-1, || {
        let found = self::text();
        if text.is_null() || usize::try_from(size).map_or(true, |size| size <= found.len) {
            return -1;
        }
        // SAFETY: not NULL, and the text and its NUL fit.
        unsafe { cstr::write_terminated(&found.bytes[..found.len], text) };
        found.len as c_int
    })
}
