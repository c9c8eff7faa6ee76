//! Signing: fields in, signature and connect parameters out. Pure.
