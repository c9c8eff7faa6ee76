//! State machines as data: one row per pair of state and event.
//!
//! `docs/session-states.md` shows the same rows; a test compares the two and walks every pair.

/// What one event does in one state.
#[derive(Debug, Clone, Copy)]
pub struct Row<S, E, A> {
    /// Before.
    pub state: S,
    /// What happens.
    pub event: E,
    /// After.
    pub next: S,
    /// What is done.
    pub action: A,
    /// Why so.
    pub reason: &'static str,
}

/// A machine: a name, its states and events, and a row for each pair of them.
#[derive(Debug)]
pub struct Machine<S: 'static, E: 'static, A: 'static> {
    /// Name in the documentation.
    pub name: &'static str,
    /// All states, the first one is where it begins.
    pub states: &'static [S],
    /// All events.
    pub events: &'static [E],
    /// One row per pair, in the order of `states`, then `events`.
    pub rows: &'static [Row<S, E, A>],
}

impl<S: Copy + PartialEq, E: Copy + PartialEq, A> Machine<S, E, A> {
    /// The row of a pair. `None` would be a hole in the table, which a test excludes.
    pub fn row(&self, state: S, event: E) -> Option<&'static Row<S, E, A>> {
        self.rows
            .iter()
            .find(|row| row.state == state && row.event == event)
    }
}

/// Rows of one state after the other: `State { Event => Next, Action, "reason"; ... }`.
macro_rules! rows {
    ($S:ident, $E:ident, $A:ident: $($state:ident {
        $($event:ident => $next:ident, $action:ident, $reason:literal;)*
    })*) => {
        &[$($($crate::mqtt::table::Row {
            state: $S::$state,
            event: $E::$event,
            next: $S::$next,
            action: $A::$action,
            reason: $reason,
        },)*)*]
    };
}

/// An enum all of whose values are listed in `ALL` and have a text.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $value,)* }

        impl $name {
            /// All values in order.
            pub const ALL: &'static [$name] = &[$($name::$value,)*];

            /// The value in words, as the documentation has it.
            pub fn text(self) -> &'static str {
                match self { $($name::$value => $text,)* }
            }
        }
    };
}

pub(crate) use {named, rows};
