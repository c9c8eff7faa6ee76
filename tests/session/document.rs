//! The document shows the tables of the code. `IOTX_BLESS=1` writes them into it.

use std::fmt::Write;

use iotx::device::states::{CONNECTION, SUBSCRIPTION};
use iotx::mqtt::states::{PING, PUBLISH};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/session-states.md");

/// Rows as the document has them; pairs that cannot happen share one line per state.
macro_rules! table {
    ($machine:expr) => {{
        let machine = &$machine;
        let mut out =
            String::from("| State | Event | Next | What is done | Why |\n|---|---|---|---|---|\n");
        for row in machine.rows {
            let next = match row.next == row.state {
                true => "same",
                false => row.next.text(),
            };
            let (state, event, action) = (row.state.text(), row.event.text(), row.action.text());
            let _ = writeln!(
                out,
                "| {state} | {event} | {next} | {action} | {} |",
                row.reason
            );
        }
        (machine.name, out)
    }};
}

#[test]
fn the_document_shows_the_tables_of_the_code() {
    let document = std::fs::read_to_string(DOCUMENT).expect("docs/session-states.md");
    let mut wanted = document.clone();
    for (name, table) in [
        table!(CONNECTION),
        table!(PUBLISH),
        table!(SUBSCRIPTION),
        table!(PING),
    ] {
        let begin = format!("<!-- table: {name} -->\n");
        let end = "<!-- end -->\n";
        let start = wanted.find(&begin).expect(&begin) + begin.len();
        let length = wanted[start..].find(end).expect("end of the table");
        wanted.replace_range(start..start + length, &table);
    }
    if std::env::var_os("IOTX_BLESS").is_some() {
        std::fs::write(DOCUMENT, &wanted).expect("written");
        return;
    }
    assert!(
        document == wanted,
        "docs/session-states.md is stale: IOTX_BLESS=1 cargo test --test session_states"
    );
}
