//! A small HTTP/1.1 client: one request, one answer, over TLS of the HAL.
//!
//! * [`decode`]: from bytes to an answer, sans-I/O;
//! * [`exchange`]: connecting, sending, reading, each with its bound.
//!
//! There are no redirects, no compression, no cookies and no connections kept open.

pub mod decode;
pub mod exchange;

pub use decode::{Decoder, Limits, Malformed, Response};
pub use exchange::{Bounds, Error, Request, perform};
