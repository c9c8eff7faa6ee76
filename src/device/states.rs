//! The connection of a client and its subscriptions as state machines.
//!
//! [`CONNECTION`] is what the client runs on: every change of [`Phase`] is looked up there, and
//! the row's action is what is done. [`SUBSCRIPTION`] describes one filter, whose state is kept as
//! membership of lists. `docs/session-states.md` shows both tables; a test walks every pair.

use crate::mqtt::table::{Machine, named, rows};

named! {
    /// Where a client's connection stands.
    Phase {
        /// Before Construct, or after it has given up.
        Offline = "Offline",
        /// The next attempt has its time.
        Waiting = "Waiting",
        /// Name resolution, TCP connect, TLS handshake, whichever is under way.
        Dialing = "Dialing",
        /// CONNECT is being written or CONNACK waited for.
        Greeting = "Greeting",
        /// Connected.
        Online = "Online",
        /// The connection is gone; the application has not been told yet.
        Lost = "Lost",
        /// Destroyed.
        Closed = "Closed",
    }
}

named! {
    /// What happens to a connection.
    Happening {
        /// Construct begins an attempt.
        Start = "Construct begins",
        /// A pass of Yield at or after the time of the next attempt.
        Due = "the wait is over",
        /// The network connection stands, TLS included.
        Opened = "link open",
        /// The attempt failed in resolve, connect, TLS or while waiting for CONNACK, or its time is over.
        Failed = "stage failed or timed out",
        /// CONNACK 0.
        Accepted = "CONNACK 0",
        /// CONNACK with another code.
        Refused = "CONNACK refuses",
        /// Link error, malformed packet, third ping without answer, or no data taken in time.
        Broken = "link broken",
        /// The next pass of Yield.
        Pass = "next pass",
        /// Construct has used up its tries.
        GaveUp = "Construct gives up",
        /// The client is started by the application, without Construct.
        Begin = "started",
        /// The application disconnects a client that it will go on using.
        Halt = "disconnect",
        /// Publish, Subscribe or Unsubscribe.
        Request = "request",
        /// Destroy.
        Destroy = "Destroy",
    }
}

named! {
    /// What the client does about it.
    Reaction {
        /// The event has no source in this state.
        Impossible = "cannot happen",
        /// Nothing.
        Nothing = "nothing",
        /// Begins an attempt: resolve, connect, TLS, a step per pass.
        Dial = "dial",
        /// Queues CONNECT and starts the request time-out.
        Greet = "send CONNECT",
        /// One state event with stage and reason; the next attempt gets its time.
        Report = "report, draw the wait",
        /// One state event (code 0); subscribes again what the server does not know; QoS 1 in flight is due.
        Welcome = "report, subscribe again, send again",
        /// The link is dropped; QoS 1 messages are kept.
        Drop = "drop the link",
        /// One state event and DISCONNECT to the application; the first attempt gets its time.
        Announce = "report, DISCONNECT, draw the wait",
        /// Written within the request time-out.
        Serve = "write",
        /// -0x031E at once.
        Refuse = "-0x031E at once",
        /// -275 at once.
        RefuseStale = "-275 at once",
        /// The first attempt has its time now.
        Arm = "due at once",
        /// The attempt or the link is dropped, behind DISCONNECT if connected.
        Hang = "hang up",
        /// Everything is released; DISCONNECT goes out if connected.
        End = "release everything",
    }
}

/// The table.
pub const CONNECTION: Machine<Phase, Happening, Reaction> = Machine {
    name: "Connection",
    states: Phase::ALL,
    events: Happening::ALL,
    rows: rows! { Phase, Happening, Reaction:
        Offline {
            Start => Dialing, Dial, "the first connect blocks in Construct, a step at a time";
            Due => Offline, Impossible, "no wait is running";
            Opened => Offline, Impossible, "no attempt is under way";
            Failed => Offline, Impossible, "no attempt is under way";
            Accepted => Offline, Impossible, "no link, nothing can arrive";
            Refused => Offline, Impossible, "no link, nothing can arrive";
            Broken => Offline, Impossible, "no link to break";
            Pass => Offline, Nothing, "Yield lasts its time";
            GaveUp => Offline, Impossible, "Construct has not begun";
            Begin => Waiting, Arm, "attempts are made by the calls that read";
            Halt => Offline, Nothing, "hung up already";
            Request => Offline, Refuse, "there is no queue for later";
            Destroy => Closed, End, "also between attempts of Construct";
        }
        Waiting {
            Start => Dialing, Dial, "next try of the first connect";
            Due => Dialing, Dial, "one attempt at a time, for ever";
            Opened => Waiting, Impossible, "no attempt is under way";
            Failed => Waiting, Impossible, "no attempt is under way";
            Accepted => Waiting, Impossible, "no link, nothing can arrive";
            Refused => Waiting, Impossible, "no link, nothing can arrive";
            Broken => Waiting, Nothing, "late news of the old link";
            Pass => Waiting, Nothing, "Yield lasts its time";
            GaveUp => Offline, Nothing, "only the first connect gives up";
            Begin => Waiting, Nothing, "started already";
            Halt => Offline, Hang, "no further attempt";
            Request => Waiting, Refuse, "callers learn at once, and may keep the message";
            Destroy => Closed, End, "";
        }
        Dialing {
            Start => Dialing, Impossible, "one attempt at a time";
            Due => Dialing, Impossible, "no wait is running";
            Opened => Greeting, Greet, "CONNECT is the first packet";
            Failed => Waiting, Report, "one event per attempt";
            Accepted => Dialing, Impossible, "no link yet";
            Refused => Dialing, Impossible, "no link yet";
            Broken => Dialing, Nothing, "late news of the old link; a new one that breaks has failed";
            Pass => Dialing, Nothing, "the attempt goes on until the pass ends";
            GaveUp => Dialing, Impossible, "the attempt under way fails first";
            Begin => Dialing, Nothing, "started already";
            Halt => Offline, Hang, "the attempt is dropped";
            Request => Dialing, Refuse, "a publisher never waits for an attempt";
            Destroy => Closed, End, "the attempt is dropped";
        }
        Greeting {
            Start => Greeting, Impossible, "one attempt at a time";
            Due => Greeting, Impossible, "no wait is running";
            Opened => Greeting, Impossible, "the link is open";
            Failed => Waiting, Report, "no CONNACK in time, broken before it, or something else instead";
            Accepted => Online, Welcome, "the back-off starts over only when the session has lasted";
            Refused => Waiting, Report, "the server may think better of it; the wait grows";
            Broken => Greeting, Nothing, "late news of the old link; a new one that breaks has failed";
            Pass => Greeting, Nothing, "goes on until the pass ends";
            GaveUp => Greeting, Impossible, "the attempt under way fails first";
            Begin => Greeting, Nothing, "started already";
            Halt => Offline, Hang, "the attempt is dropped";
            Request => Greeting, Refuse, "nothing may precede CONNACK";
            Destroy => Closed, End, "the attempt is dropped";
        }
        Online {
            Start => Online, Impossible, "connected";
            Due => Online, Impossible, "no wait is running";
            Opened => Online, Impossible, "the link is open";
            Failed => Online, Impossible, "no attempt is under way";
            Accepted => Online, Nothing, "a second CONNACK is ignored";
            Refused => Online, Nothing, "a second CONNACK is ignored";
            Broken => Lost, Drop, "any thread may notice";
            Pass => Online, Serve, "timers, input, handlers";
            GaveUp => Online, Impossible, "connected";
            Begin => Online, Nothing, "started already";
            Halt => Offline, Hang, "DISCONNECT was written before";
            Request => Online, Serve, "";
            Destroy => Closed, End, "";
        }
        Lost {
            Start => Lost, Impossible, "Construct is over";
            Due => Lost, Impossible, "no wait is running yet";
            Opened => Lost, Impossible, "no attempt is under way";
            Failed => Lost, Impossible, "no attempt is under way";
            Accepted => Lost, Impossible, "no link, nothing can arrive";
            Refused => Lost, Impossible, "no link, nothing can arrive";
            Broken => Lost, Nothing, "another thread noticed first";
            Pass => Waiting, Announce, "handlers run in Yield only";
            GaveUp => Lost, Impossible, "Construct is over";
            Begin => Lost, Nothing, "started already";
            Halt => Offline, Hang, "the loss is not told: nobody waits for it";
            Request => Lost, Refuse, "";
            Destroy => Closed, End, "";
        }
        Closed {
            Start => Closed, RefuseStale, "a handle is not used again";
            Due => Closed, Impossible, "no wait is running";
            Opened => Closed, Impossible, "the attempt was dropped";
            Failed => Closed, Impossible, "the attempt was dropped";
            Accepted => Closed, Impossible, "no link, nothing can arrive";
            Refused => Closed, Impossible, "no link, nothing can arrive";
            Broken => Closed, Nothing, "late news of the old link";
            Pass => Closed, Nothing, "Yield returns";
            GaveUp => Closed, Impossible, "no attempt is under way";
            Begin => Closed, RefuseStale, "";
            Halt => Closed, RefuseStale, "";
            Request => Closed, RefuseStale, "";
            Destroy => Closed, Nothing, "once is enough";
        }
    },
};

named! {
    /// One topic filter.
    Filter {
        /// No handler, nothing under way.
        Absent = "Absent",
        /// The application's SUBSCRIBE waits for its SUBACK; the handler is there.
        Asked = "Asked",
        /// Granted.
        Subscribed = "Subscribed",
        /// The client has subscribed again by itself and waits for the SUBACK.
        Renewing = "Renewing",
        /// The application's UNSUBSCRIBE waits for its UNSUBACK; the handler is gone.
        Leaving = "Leaving",
    }
}

named! {
    /// What happens to it.
    FilterEvent {
        /// The application subscribes.
        Subscribe = "subscribe",
        /// The application unsubscribes.
        Unsubscribe = "unsubscribe",
        /// SUBACK that grants.
        Granted = "SUBACK 0 to 2",
        /// SUBACK that refuses.
        Refused = "SUBACK 0x80",
        /// UNSUBACK.
        UnsubAck = "UNSUBACK",
        /// A QoS 1 message that matches, no default handler.
        Message = "PUBLISH",
        /// The connection is lost and made again; the server has the session.
        Resumed = "reconnect, session present",
        /// The same with a server that has no session.
        Restarted = "reconnect, no session",
    }
}

named! {
    /// What is done about it.
    FilterAction {
        /// Nothing: an acknowledgement that is late, a duplicate or unknown.
        Ignore = "ignore",
        /// Nothing is to be done.
        Nothing = "nothing",
        /// The handler is stored, then SUBSCRIBE is written.
        Ask = "store handler, SUBSCRIBE",
        /// The handlers are removed, UNSUBSCRIBE is written.
        Leave = "remove handlers, UNSUBSCRIBE",
        /// Event 3.
        TellGranted = "event 3",
        /// The handler is removed; event 5.
        TellRefused = "remove handler, event 5",
        /// Event 6.
        TellLeft = "event 6",
        /// One state event.
        Report = "report",
        /// To the handler, then PUBACK.
        Deliver = "handler, PUBACK",
        /// Held without PUBACK until there is a handler.
        Hold = "hold, no PUBACK",
        /// The same packet again under the same packet id.
        AskAgain = "same packet and id again",
        /// SUBSCRIBE under an id of the client's own, which leads to no event.
        Renew = "SUBSCRIBE, no event",
    }
}

/// The table of one topic filter while the client is on-line.
pub const SUBSCRIPTION: Machine<Filter, FilterEvent, FilterAction> = Machine {
    name: "Subscription",
    states: Filter::ALL,
    events: FilterEvent::ALL,
    rows: rows! { Filter, FilterEvent, FilterAction:
        Absent {
            Subscribe => Asked, Ask, "stored first: no message can come too early";
            Unsubscribe => Leaving, Leave, "the server may know the filter from an earlier run";
            Granted => Absent, Ignore, "late or duplicate";
            Refused => Absent, Ignore, "late or duplicate";
            UnsubAck => Absent, Ignore, "late or duplicate";
            Message => Absent, Hold, "a resumed session may deliver before the handler is back";
            Resumed => Absent, Nothing, "";
            Restarted => Absent, Nothing, "";
        }
        Asked {
            Subscribe => Asked, Ask, "under another id; the same handler is stored once";
            Unsubscribe => Leaving, Leave, "";
            Granted => Subscribed, TellGranted, "";
            Refused => Absent, TellRefused, "";
            UnsubAck => Asked, Ignore, "late or duplicate";
            Message => Asked, Deliver, "PUBLISH may overtake SUBACK";
            Resumed => Asked, AskAgain, "the session may lack it";
            Restarted => Asked, AskAgain, "";
        }
        Subscribed {
            Subscribe => Asked, Ask, "";
            Unsubscribe => Leaving, Leave, "";
            Granted => Subscribed, Ignore, "late or duplicate";
            Refused => Subscribed, Ignore, "late or duplicate";
            UnsubAck => Subscribed, Ignore, "late or duplicate";
            Message => Subscribed, Deliver, "";
            Resumed => Subscribed, Nothing, "the server knows";
            Restarted => Renewing, Renew, "also after a clean session";
        }
        Renewing {
            Subscribe => Asked, Ask, "";
            Unsubscribe => Leaving, Leave, "";
            Granted => Subscribed, Nothing, "the application has not asked";
            Refused => Subscribed, Report, "the handler stays; the next server without session is asked again";
            UnsubAck => Renewing, Ignore, "late or duplicate";
            Message => Renewing, Deliver, "";
            Resumed => Renewing, AskAgain, "the session may lack it";
            Restarted => Renewing, AskAgain, "";
        }
        Leaving {
            Subscribe => Asked, Ask, "";
            Unsubscribe => Leaving, Leave, "under another id";
            Granted => Leaving, Ignore, "late or duplicate";
            Refused => Leaving, Ignore, "late or duplicate";
            UnsubAck => Absent, TellLeft, "";
            Message => Leaving, Hold, "nobody has seen it";
            Resumed => Leaving, AskAgain, "the session may still have it";
            Restarted => Leaving, AskAgain, "the application waits for event 6";
        }
    },
};
