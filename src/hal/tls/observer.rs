//! A look at the certificates of servers, for diagnostic programs.

use std::sync::OnceLock;

/// Called with each certificate of a chain while it is verified, whatever the verdict will be: from
/// the end of the chain (highest depth, the trusted root where there is one) to the server's own
/// (depth 0). The bytes are its DER. Called on the thread that connects, for every client of the process;
/// a resumed session has no chain.
pub type ChainObserver = fn(depth: i32, der: &[u8]);

static OBSERVER: OnceLock<ChainObserver> = OnceLock::new();

/// Has `observer` called from now on. The first one stays; false for any other.
pub fn observe_chains(observer: ChainObserver) -> bool {
    OBSERVER.set(observer).is_ok()
}

/// Shows one certificate to the observer, if there is one.
pub(super) fn tell(depth: i32, der: &[u8]) {
    if let Some(observer) = OBSERVER.get() {
        observer(depth, der);
    }
}
