//! The life of one QoS 1 publish, and of the ping, as tables.
//!
//! [`PING`] is what the engine runs on. [`PUBLISH`] describes one packet id; the engine keeps the
//! state as membership of its list of unacknowledged messages. A test walks every pair of both.

use super::table::{Machine, named, rows};

named! {
    /// One packet id as QoS 1 PUBLISH uses it.
    Delivery {
        /// Not in use.
        Free = "Free",
        /// Sent on this connection, not acknowledged.
        InFlight = "In flight",
        /// Not acknowledged, and the connection it was sent on is gone.
        Kept = "Kept",
    }
}

named! {
    /// What happens to it.
    DeliveryEvent {
        /// The application publishes.
        Publish = "publish",
        /// PUBACK with this id.
        PubAck = "PUBACK",
        /// Twice the request time-out has passed since it was sent.
        Due = "2 T passed",
        /// The packet could not be handed to the network.
        Unsent = "write failed",
        /// The connection is lost.
        Lost = "link broken",
        /// CONNACK 0 of the next connection.
        Connected = "CONNACK 0",
    }
}

named! {
    /// What is done about it.
    DeliveryAction {
        /// The event has no source in this state.
        Impossible = "cannot happen",
        /// Nothing.
        Nothing = "nothing",
        /// PUBLISH with DUP 0.
        Send = "PUBLISH, DUP 0",
        /// PUBLISH with DUP 1, the rest as it was.
        Repeat = "PUBLISH, DUP 1",
        /// The next free id is taken instead.
        Skip = "another id is used",
        /// Event 9 to the application.
        Tell = "event 9",
        /// -0x0208 to the publisher.
        Fail = "-0x0208",
        /// -0x031E to the publisher.
        Refuse = "-0x031E at once",
    }
}

/// The table of one packet id.
pub const PUBLISH: Machine<Delivery, DeliveryEvent, DeliveryAction> = Machine {
    name: "Publish, QoS 1",
    states: Delivery::ALL,
    events: DeliveryEvent::ALL,
    rows: rows! { Delivery, DeliveryEvent, DeliveryAction:
        Free {
            Publish => InFlight, Send, "";
            PubAck => Free, Nothing, "late, duplicate or unknown";
            Due => Free, Impossible, "nothing is waiting";
            Unsent => Free, Impossible, "nothing was to be written";
            Lost => Free, Nothing, "";
            Connected => Free, Nothing, "";
        }
        InFlight {
            Publish => InFlight, Skip, "an id in flight is not used twice, also when the counter wraps at 65535";
            PubAck => Free, Tell, "";
            Due => InFlight, Repeat, "the server may have lost it with a session of its own";
            Unsent => Free, Fail, "the caller decides whether to publish again";
            Lost => Kept, Nothing, "the application was told that it is under way";
            Connected => InFlight, Impossible, "only behind a loss";
        }
        Kept {
            Publish => Kept, Refuse, "off-line";
            PubAck => Kept, Impossible, "no link, nothing can arrive";
            Due => Kept, Nothing, "the next CONNACK makes it due";
            Unsent => Kept, Impossible, "no link, nothing is written";
            Lost => Kept, Impossible, "no link to break";
            Connected => InFlight, Repeat, "in order of sending, whether or not the session is present";
        }
    },
};

named! {
    /// How a connection stands with its pings.
    Ping {
        /// No connection.
        Off = "Off",
        /// Nothing open.
        Answered = "Answered",
        /// One ping without anything behind it.
        One = "One open",
        /// Two pings without anything behind them.
        Two = "Two open",
    }
}

named! {
    /// What happens to it.
    PingEvent {
        /// CONNACK 0.
        Connected = "CONNACK 0",
        /// The keep-alive interval has passed.
        Due = "K passed",
        /// Any packet of the server.
        Packet = "packet",
        /// The connection is lost.
        Lost = "link broken",
    }
}

named! {
    /// What is done about it.
    PingAction {
        /// The event has no source in this state.
        Impossible = "cannot happen",
        /// Nothing.
        Nothing = "nothing",
        /// The first ping is due one interval from now.
        Schedule = "ping in K",
        /// PINGREQ; the next one is due one interval from now.
        Send = "PINGREQ, ping in K",
        /// The connection counts as lost.
        GiveUp = "link is given up",
    }
}

/// The table of the ping.
pub const PING: Machine<Ping, PingEvent, PingAction> = Machine {
    name: "Ping",
    states: Ping::ALL,
    events: PingEvent::ALL,
    rows: rows! { Ping, PingEvent, PingAction:
        Off {
            Connected => Answered, Schedule, "";
            Due => Off, Nothing, "";
            Packet => Off, Impossible, "no link, nothing can arrive";
            Lost => Off, Impossible, "no link to break";
        }
        Answered {
            Connected => Answered, Nothing, "a second CONNACK is ignored";
            Due => One, Send, "whatever else was sent or received: the rhythm of the SDK";
            Packet => Answered, Nothing, "";
            Lost => Off, Nothing, "";
        }
        One {
            Connected => Answered, Nothing, "a second CONNACK is ignored, but it is a packet";
            Due => Two, Send, "";
            Packet => Answered, Nothing, "any packet shows that the server lives";
            Lost => Off, Nothing, "";
        }
        Two {
            Connected => Answered, Nothing, "a second CONNACK is ignored, but it is a packet";
            Due => Off, GiveUp, "silent for three intervals";
            Packet => Answered, Nothing, "";
            Lost => Off, Nothing, "";
        }
    },
};
