//! What one session has sent and received, for statistics.

/// Counts since the client was made, and the last round trip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets received whole and well-formed, over-long ones included.
    pub packets_in: u64,
    /// Packets encoded to be sent, repeats included.
    pub packets_out: u64,
    /// Application messages received.
    pub messages_in: u64,
    /// Application messages sent, repeats not counted again.
    pub messages_out: u64,
    /// QoS 1 messages that were acknowledged.
    pub acknowledged: u64,
    /// Packets over the read limit.
    pub too_large: u64,
    /// Round trips measured.
    pub round_trips: u64,
    /// The last of them, milliseconds; 0 before the first.
    pub last_round_trip_ms: u64,
    /// What is being measured, and since when.
    probe: Option<(Probe, u64)>,
}

/// A packet whose answer shows the round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// PINGREQ, answered by PINGRESP.
    Ping,
    /// QoS 1 PUBLISH with this packet id, answered by PUBACK.
    Message(u16),
}

impl Counters {
    /// `probe` goes out at `now`. One is measured at a time.
    pub(super) fn start(&mut self, probe: Probe, now: u64) {
        self.probe.get_or_insert((probe, now));
    }

    /// The answer to `probe` came at `now`.
    pub(super) fn answered(&mut self, probe: Probe, now: u64) {
        if let Some((_, since)) = self.probe.take_if(|(measured, _)| *measured == probe) {
            self.round_trips += 1;
            self.last_round_trip_ms = now.saturating_sub(since);
        }
    }

    /// The connection is gone, or a message was repeated, so that an answer could be to either.
    pub(super) fn forget_probe(&mut self) {
        self.probe = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_trip_at_a_time() {
        let mut counters = Counters::default();
        counters.start(Probe::Message(7), 100);
        counters.start(Probe::Message(8), 150);
        counters.answered(Probe::Message(8), 160);
        assert_eq!(counters.round_trips, 0);
        counters.answered(Probe::Message(7), 180);
        assert_eq!((counters.round_trips, counters.last_round_trip_ms), (1, 80));
        counters.start(Probe::Ping, 200);
        counters.forget_probe();
        counters.answered(Probe::Ping, 300);
        assert_eq!(counters.round_trips, 1);
    }
}
