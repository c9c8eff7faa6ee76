//! The stages of a connection with their times: a look over the shoulder of the transport.

use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use iotx::hal::diagnostics::{Failure, Stage, TlsInfo};
use iotx::hal::tls;
use iotx::transport::{DialBounds, Dialer, Dialing, HalDialer, Link, Security, Target};

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
    /// The stages of this target, in order.
    stages: Vec<&'static str>,
    /// Which of them is under way.
    at: usize,
    since: Instant,
}

/// The stages that a connection to `target` has.
fn stages_of(target: &Target) -> Vec<&'static str> {
    let first = match &target.proxy {
        // Where a proxy is, is its own affair.
        Some(_) => true,
        None => {
            let host = target.host.to_str();
            host.is_ok_and(|host| host.parse::<IpAddr>().is_err())
        }
    };
    let tls = matches!(target.security, Security::Tls { .. });
    [
        (first, "resolve"),
        (true, "tcp"),
        (target.proxy.is_some(), "proxy"),
        (tls, "tls"),
        (target.websocket.is_some(), "websocket"),
    ]
    .into_iter()
    .filter_map(|(has, name)| has.then_some(name))
    .collect()
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
            stages: stages_of(target),
            at: 0,
            since: Instant::now(),
        }))
    }
}

impl WatchedDialing {
    /// Stage number `next` is under way now. Those that one step went through took no time that could be told.
    fn reached(&mut self, next: usize) {
        let now = Instant::now();
        if next == self.at {
            return;
        }
        // A handshake that begins anew on another connection goes back.
        for index in self.at..next {
            let _ = self.news.send(News::Stage(Passed {
                name: self.stages[index],
                time: match index == self.at {
                    true => now.duration_since(self.since),
                    false => Duration::ZERO,
                },
            }));
        }
        self.at = next;
        self.since = now;
    }
}

impl Dialing for WatchedDialing {
    fn step(&mut self, wait_ms: u32) -> Result<Option<Arc<dyn Link>>, Failure> {
        let end = Instant::now() + Duration::from_millis(wait_ms.into());
        loop {
            // Without waiting, so that no two stages fall into one step where they take their time.
            match self.inner.step(0) {
                Ok(Some(link)) => {
                    self.reached(self.stages.len());
                    let _ = self.news.send(News::Open {
                        at: Instant::now(),
                        tls: link.tls(),
                    });
                    return Ok(Some(link));
                }
                Ok(None) => {
                    let name = word(self.inner.stage());
                    let place = self.stages.iter().position(|stage| *stage == name);
                    let next = place.unwrap_or(self.at);
                    if next == self.at {
                        std::thread::sleep(PAUSE);
                    }
                    self.reached(next);
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
