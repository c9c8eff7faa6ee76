//! What the doctor says.

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing; no reason why a device does not connect.
    Note,
    /// Wrong.
    Bad,
    /// Not looked at, since something before it is wrong.
    Skipped,
}

impl Verdict {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Note => "note",
            Verdict::Bad => "bad",
            Verdict::Skipped => "skipped",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at; part of the interface.
    pub check: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// One sentence.
    pub text: String,
    /// What to do; empty if nothing.
    pub next: String,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Finding {
            check,
            verdict: Verdict::Ok,
            text: text.into(),
            next: String::new(),
        }
    }

    /// Something is wrong.
    pub fn bad(check: &'static str, text: impl Into<String>, next: impl Into<String>) -> Self {
        Finding {
            check,
            verdict: Verdict::Bad,
            text: text.into(),
            next: next.into(),
        }
    }

    /// Something to know.
    pub fn note(check: &'static str, text: impl Into<String>, next: impl Into<String>) -> Self {
        Finding {
            verdict: Verdict::Note,
            ..Finding::bad(check, text, next)
        }
    }

    /// Could not be looked at.
    pub fn skipped(check: &'static str, text: impl Into<String>) -> Self {
        Finding {
            verdict: Verdict::Skipped,
            ..Finding::ok(check, text)
        }
    }
}
