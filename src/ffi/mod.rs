//! The C boundary. One file per SDK header; see each for its functions.

pub mod barrier;
pub mod wrappers_tls;
