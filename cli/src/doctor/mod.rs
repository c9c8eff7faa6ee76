//! `iotx doctor`: why does my device not connect.

mod finding;
mod local;
mod network;
mod server;

use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::account::Account;
use crate::connect::{stages, stop_flag};
use crate::output::{Exit, Output, Problem};
use finding::{Finding, Verdict};

/// Options of `iotx doctor`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    account: Account,
    /// What the clock of the device shows, e.g. 2026-11-25T08:00:00Z [default: the clock here].
    #[arg(long, value_name = "TIME")]
    device_time: Option<String>,
    /// How long the connection has to stay, milliseconds.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    watch_ms: u64,
}

struct Report<'a> {
    output: &'a Output,
    bad: u32,
    notes: u32,
}

impl Report<'_> {
    fn add(&mut self, finding: &Finding) {
        match finding.verdict {
            Verdict::Bad => self.bad += 1,
            Verdict::Note => self.notes += 1,
            Verdict::Ok | Verdict::Skipped => {}
        }
        let word = finding.verdict.word();
        let mut text = format!("{word:<8}{:<17} {}", finding.check, finding.text);
        if !finding.next.is_empty() {
            text.push_str(&format!("\n{:26}{}", "", finding.next));
        }
        let fields = json!({
            "check": finding.check, "verdict": word, "text": finding.text, "next": finding.next,
        });
        self.output.event("finding", fields, &text);
    }

    fn add_all(&mut self, findings: &[Finding]) {
        findings.iter().for_each(|finding| self.add(finding));
    }

    fn end(&self) -> Result<(), Problem> {
        let (bad, notes) = (self.bad, self.notes);
        let text = match bad {
            0 => "All fine: this device connects.".to_owned(),
            1 => "1 thing is wrong.".to_owned(),
            n => format!("{n} things are wrong; begin with the first."),
        };
        self.output
            .event("diagnosis", json!({"bad": bad, "notes": notes}), &text);
        match bad {
            0 => Ok(()),
            _ => Err(Problem::new(Exit::Findings, "")),
        }
    }
}

/// Looks at everything, says what is wrong and what to do.
pub fn run(arguments: &Arguments, output: &Output) -> Result<(), Problem> {
    let account = &arguments.account;
    let now = device_time(arguments)?;
    let stop = stop_flag()?;
    let mut report = Report {
        output,
        bad: 0,
        notes: 0,
    };
    let ready = match account.ready() {
        Ok(ready) => ready,
        Err(problem) => {
            let named = local::names(account).filter(|names| names.verdict == Verdict::Bad);
            report.add(&named.unwrap_or_else(|| {
                Finding::bad(
                    "options",
                    sentence(&problem.text),
                    "Correct this first; nothing else was looked at.",
                )
            }));
            return report.end();
        }
    };
    report.add_all(&local::check(account, &ready, now));
    let (host, port, door) = match way(account, &ready.endpoint.host, ready.endpoint.port) {
        Ok(way) => way,
        Err(text) => {
            report.add(&Finding::bad("proxy", sentence(text), "Correct --proxy."));
            return report.end();
        }
    };
    let bound = Duration::from_secs(account.timeout.into());
    let (addresses, found) = network::resolve(&host, port, bound);
    report.add(&found);
    let (address, found) = network::port(&addresses, door);
    report.add(&found);
    if ready.proxy.is_none()
        && let Some(name) = proxy_of_environment()
    {
        report.add(&Finding::note(
            "environment",
            format!("{name} is set: this network may want a proxy, and none is used."),
            "If connections fail, give the proxy as --proxy.",
        ));
    }
    match address {
        None => {
            report.add(&Finding::skipped(
                "tls",
                "There is no connection to look at.",
            ));
            report.add(&Finding::skipped(
                "connack",
                "There is no connection to send CONNECT on.",
            ));
        }
        Some(address) => {
            stages::watch_chains();
            let watch = Duration::from_millis(arguments.watch_ms);
            let findings = server::check(account, &ready, address, now, watch, &stop)?;
            report.add_all(&findings);
        }
    }
    report.end()
}

/// Where the first connection goes, and the name of that check.
fn way(
    account: &Account,
    host: &str,
    port: u16,
) -> Result<(String, u16, &'static str), &'static str> {
    let Some(proxy) = &account.proxy else {
        return Ok((host.to_owned(), port, "port"));
    };
    let rest = proxy
        .split_once("://")
        .map_or(proxy.as_str(), |(_, rest)| rest);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = iotx::transport::authority::split(rest)?;
    Ok((host.to_owned(), port.unwrap_or(80), "proxy"))
}

fn proxy_of_environment() -> Option<&'static str> {
    ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn device_time(arguments: &Arguments) -> Result<i64, Problem> {
    match &arguments.device_time {
        Some(text) => OffsetDateTime::parse(text, &Rfc3339)
            .map(OffsetDateTime::unix_timestamp)
            .map_err(|_| Problem::input("--device-time is not like 2026-11-25T08:00:00Z")),
        None => Ok(SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
            })),
    }
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
