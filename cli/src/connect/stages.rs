//! The stages of a connection with their times: a look over the shoulder of the transport.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use iotx::hal::diagnostics::{Failure, Stage, TlsInfo};
use iotx::hal::tls;
use iotx::transport::{DialBounds, Dialer, Dialing, HalDialer, Link, Target};

use super::host::News;
use crate::account::certificate::Summary;

/// Pause between two looks at a stage that goes on.
const PAUSE: Duration = Duration::from_micros(500);

/// One stage that is over.
#[derive(Debug, Clone)]
pub struct Passed {
    /// `resolve`, `tcp`, `proxy`, `tls`, `websocket`.
    pub name: &'static str,
    /// How long it took.
    pub time: Duration,
}

/// The stage in one word.
pub fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => "resolve",
        Stage::Connect | Stage::Traffic => "tcp",
        Stage::TlsHandshake | Stage::TlsVerify | Stage::TlsConfig => "tls",
        Stage::Proxy | Stage::ProxyRefused => "proxy",
        Stage::WebSocket | Stage::WebSocketRefused => "websocket",
    }
}

/// The dialer of the library, watched.
pub struct Watched {
    /// Where the stages are told.
    pub news: Sender<News>,
}

struct WatchedDialing {
    inner: Box<dyn Dialing>,
    news: Sender<News>,
    /// The stage under way; `None` before the first step.
    stage: Option<Stage>,
    since: Instant,
}

impl Dialer for Watched {
    fn dial(&self, target: &Target, bounds: &DialBounds) -> Result<Box<dyn Dialing>, Failure> {
        chain_seen();
        let told = |failure: Failure| {
            let _ = self.news.send(News::Failed(failure.clone()));
            failure
        };
        Ok(Box::new(WatchedDialing {
            inner: HalDialer.dial(target, bounds).map_err(told)?,
            news: self.news.clone(),
            stage: None,
            since: Instant::now(),
        }))
    }
}

impl WatchedDialing {
    fn passed(&mut self, stage: Stage) {
        let now = Instant::now();
        let _ = self.news.send(News::Stage(Passed {
            name: word(stage),
            time: now.duration_since(self.since),
        }));
        self.since = now;
    }
}

impl Dialing for WatchedDialing {
    fn step(&mut self, wait_ms: u32) -> Result<Option<Arc<dyn Link>>, Failure> {
        let end = Instant::now() + Duration::from_millis(wait_ms.into());
        loop {
            // Without waiting, so that no two stages fall into one step.
            match self.inner.step(0) {
                Ok(Some(link)) => {
                    let last = self.stage.unwrap_or(Stage::Connect);
                    self.passed(last);
                    if last == Stage::Resolve {
                        self.passed(Stage::Connect);
                    }
                    let _ = self.news.send(News::Open {
                        at: Instant::now(),
                        tls: link.tls(),
                    });
                    return Ok(Some(link));
                }
                Ok(None) => {
                    let stage = self.inner.stage();
                    match self.stage {
                        Some(before) if word(before) != word(stage) => {
                            self.passed(before);
                            let skipped = !matches!(stage, Stage::Connect | Stage::Traffic);
                            if before == Stage::Resolve && skipped {
                                // Connected within the step that had the address.
                                self.passed(Stage::Connect);
                            }
                        }
                        Some(_) => std::thread::sleep(PAUSE),
                        None => {}
                    }
                    self.stage = Some(stage);
                }
                Err(failure) => {
                    let _ = self.news.send(News::Failed(failure.clone()));
                    return Err(failure);
                }
            }
            if Instant::now() >= end {
                return Ok(None);
            }
        }
    }

    fn stage(&self) -> Stage {
        self.inner.stage()
    }
}

static CHAIN: Mutex<Vec<(i32, Vec<u8>)>> = Mutex::new(Vec::new());

fn remember(depth: i32, der: &[u8]) {
    let mut chain = CHAIN.lock().unwrap_or_else(PoisonError::into_inner);
    // A server that fails is asked again: that is another chain.
    if chain.last().is_some_and(|(last, _)| *last <= depth) {
        chain.clear();
    }
    chain.push((depth, der.to_vec()));
}

/// Has the chains of servers remembered from now on.
pub fn watch_chains() {
    tls::observe_chains(remember);
}

/// The chain seen since the last call: the server's certificate first, the root last.
pub fn chain_seen() -> Vec<Summary> {
    let mut chain = CHAIN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut seen = std::mem::take(&mut *chain);
    seen.sort_by_key(|(depth, _)| *depth);
    seen.iter()
        .filter_map(|(_, der)| Summary::from_der(der))
        .collect()
}

/// TLS in words.
pub fn tls_text(info: &TlsInfo) -> String {
    let resumed = if info.resumed {
        ", session resumed"
    } else {
        ""
    };
    format!("{} {}{resumed}", info.version, info.suite)
}
