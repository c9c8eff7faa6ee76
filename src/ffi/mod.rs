//! The C boundary. One file per SDK header; see each for its functions.
