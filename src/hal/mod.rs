//! The hardware abstraction layer: the seam through which the core reaches the system, and our
//! default port for POSIX behind it.
//!
//! * [`seam`] declares the `HAL_*` symbols and wraps them for the core. The core calls nothing
//!   else, so an application that defines one of them replaces ours.
//! * [`os`], [`tcp`], [`tls`], [`kv`] are the default implementations, plain Rust without
//!   knowledge of C pointers; `ffi/wrappers_*.rs` puts the C boundary around them.
//! * [`credential_file`] reads the files that hold certificates and keys.
//! * [`memory`] is the library's own memory, which comes from the port's `HAL_Malloc`.
//! * [`diagnostics`] carries the reason of a failure past the C signatures of the HAL, which
//!   can only say "failed".

pub mod credential_file;
pub mod diagnostics;
pub mod exchange;
pub mod kv;
pub mod memory;
pub mod os;
pub mod seam;
pub mod tcp;
pub mod tls;
pub mod uptime;
