//! Which place of the medium holds which message: the bounded list behind the store.
//!
//! | place | input | next |
//! |---|---|---|
//! | free, spoiled | [`Ledger::take`], [`Ledger::restore`] | used |
//! | used | [`Ledger::begin_removal`] | leaving |
//! | used, leaving | [`Ledger::finish_removal`] | free; spoiled when the medium could not remove |
//! | free | [`Ledger::spoil`] | spoiled |

/// Bounds of a store, and what happens at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Places for records: messages stored at a time.
    pub max_count: u32,
    /// Bytes of all records together.
    pub max_bytes: u32,
    /// Longest record, bytes.
    pub max_record: u32,
    /// At a bound the oldest message makes room; false: the new one is refused.
    pub drop_oldest: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Free,
    /// Holds a message of the in-flight list.
    Used {
        pkid: u16,
        size: usize,
    },
    /// Its message is gone from the in-flight list, its record perhaps not yet from the medium.
    Leaving {
        pkid: u16,
        size: usize,
    },
    /// Holds something that is no message and could not be removed. May be overwritten.
    Spoiled,
}

/// The places of one store.
#[derive(Debug)]
pub struct Ledger {
    bounds: Bounds,
    places: Vec<Place>,
    /// Where the search for a free place begins: all take their turn, which spares flash.
    next: usize,
    sequence: u64,
    count: usize,
    bytes: usize,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(bounds: Bounds) -> Self {
        Ledger {
            bounds,
            places: vec![Place::Free; bounds.max_count as usize],
            next: 0,
            sequence: 0,
            count: 0,
            bytes: 0,
        }
    }

    /// The bounds.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Messages stored, those included whose record is being written or removed.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes of their records.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a record of this size could be stored if nothing else were.
    pub fn could_fit(&self, size: usize) -> bool {
        size <= self.bounds.max_record as usize && size <= self.bounds.max_bytes as usize
    }

    /// A place for a record of `size` bytes and its sequence number, or None at a bound. Also None
    /// for a packet id that has a place still: its record must be gone first.
    pub fn take(&mut self, pkid: u16, size: usize) -> Option<(u32, u64)> {
        let over = self.bytes.saturating_add(size) > self.bounds.max_bytes as usize;
        if over || !self.could_fit(size) || self.holds(pkid) {
            return None;
        }
        let slot = self.find_free()?;
        self.next = (slot + 1) % self.places.len();
        self.sequence += 1;
        self.occupy(slot, pkid, size);
        // Below `max_count`, which is 32 bits.
        Some((slot as u32, self.sequence))
    }

    fn find_free(&self) -> Option<usize> {
        let len = self.places.len();
        let turn = || (0..len).map(|step| (self.next + step) % len);
        let find = |wanted: Place| turn().find(|&slot| self.places[slot] == wanted);
        find(Place::Free).or_else(|| find(Place::Spoiled))
    }

    fn occupy(&mut self, slot: usize, pkid: u16, size: usize) {
        self.places[slot] = Place::Used { pkid, size };
        self.count += 1;
        self.bytes += size;
    }

    fn holds(&self, pkid: u16) -> bool {
        self.places.iter().any(|place| match place {
            Place::Used { pkid: other, .. } | Place::Leaving { pkid: other, .. } => *other == pkid,
            Place::Free | Place::Spoiled => false,
        })
    }

    /// Notes a record found on the medium. The bounds on bytes are not applied: what is stored is
    /// sent.
    pub fn restore(&mut self, slot: u32, pkid: u16, size: usize, sequence: u64) {
        let slot = slot as usize;
        if matches!(self.places.get(slot), Some(Place::Free | Place::Spoiled)) {
            self.occupy(slot, pkid, size);
            self.sequence = self.sequence.max(sequence);
            self.next = (slot + 1) % self.places.len();
        }
    }

    /// Notes that a place holds something that is no message.
    pub fn spoil(&mut self, slot: u32) {
        if let Some(place @ Place::Free) = self.places.get_mut(slot as usize) {
            *place = Place::Spoiled;
        }
    }

    /// The message has left the in-flight list: the place whose record is to be removed.
    pub fn begin_removal(&mut self, pkid: u16) -> Option<u32> {
        self.places
            .iter_mut()
            .enumerate()
            .find_map(|(slot, place)| match *place {
                Place::Used { pkid: used, size } if used == pkid => {
                    *place = Place::Leaving { pkid, size };
                    // Below `max_count`, which is 32 bits.
                    Some(slot as u32)
                }
                _ => None,
            })
    }

    /// The record is removed, or the medium could not remove it.
    pub fn finish_removal(&mut self, slot: u32, removed: bool) {
        if let Some(place) = self.places.get_mut(slot as usize)
            && let Place::Used { size, .. } | Place::Leaving { size, .. } = *place
        {
            *place = if removed { Place::Free } else { Place::Spoiled };
            self.count -= 1;
            self.bytes -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        max_count: 5,
        max_bytes: 300,
        max_record: 120,
        drop_oldest: false,
    };

    #[test]
    fn places_take_turns_and_spoiled_ones_come_last() {
        let mut ledger = Ledger::new(BOUNDS);
        ledger.spoil(1);
        let slots: Vec<_> = (1..=5)
            .map(|id| ledger.take(id, 10).expect("room"))
            .collect();
        assert_eq!(slots, [(0, 1), (2, 2), (3, 3), (4, 4), (1, 5)]);
        assert_eq!(ledger.take(6, 10), None);
        assert_eq!(ledger.begin_removal(1), Some(0));
        assert_eq!(ledger.take(6, 10), None, "its record may still be there");
        ledger.finish_removal(0, true);
        assert_eq!(ledger.take(6, 10), Some((0, 6)));
    }

    #[test]
    fn a_restored_ledger_goes_on_behind_the_last_record() {
        let mut ledger = Ledger::new(BOUNDS);
        ledger.restore(3, 40, 50, 900);
        ledger.restore(0, 41, 50, 901);
        ledger.restore(9, 42, 50, 902);
        assert_eq!((ledger.count(), ledger.bytes()), (2, 100));
        assert_eq!(ledger.take(41, 10), None, "the packet id is taken");
        assert_eq!(ledger.take(43, 10), Some((1, 902)));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Take { pkid: u16, size: usize },
        Begin(u16),
        Finish { slot: u32, removed: bool },
        Spoil(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (1..9u16, 30..140usize).prop_map(|(pkid, size)| Step::Take { pkid, size }),
            2 => (1..9u16).prop_map(Step::Begin),
            2 => (0..6u32, any::<bool>()).prop_map(|(slot, removed)| Step::Finish { slot, removed }),
            1 => (0..6u32).prop_map(Step::Spoil),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            // The same cases in every run.
            rng_seed: proptest::test_runner::RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Against a model that only knows what it was told.
        #[test]
        fn never_over_the_bounds_and_never_two_in_one_place(steps in proptest::collection::vec(step(), 0..80)) {
            let mut ledger = Ledger::new(BOUNDS);
            let mut model: BTreeMap<u32, (u16, usize, bool)> = BTreeMap::new();
            let mut last = 0;
            for step in steps {
                match step {
                    Step::Take { pkid, size } => {
                        let bytes: usize = model.values().map(|(_, size, _)| size).sum();
                        let room = model.len() < 5 && bytes + size <= 300 && size <= 120
                            && model.values().all(|(other, ..)| *other != pkid);
                        let taken = ledger.take(pkid, size);
                        prop_assert_eq!(taken.is_some(), room);
                        if let Some((slot, sequence)) = taken {
                            prop_assert!(slot < 5 && sequence > last);
                            last = sequence;
                            prop_assert!(model.insert(slot, (pkid, size, false)).is_none());
                        }
                    }
                    Step::Begin(pkid) => {
                        let used = model.iter_mut().find(|(_, (id, _, leaving))| *id == pkid && !leaving);
                        let want = used.map(|(slot, entry)| {
                            entry.2 = true;
                            *slot
                        });
                        prop_assert_eq!(ledger.begin_removal(pkid), want);
                    }
                    Step::Finish { slot, removed } => {
                        ledger.finish_removal(slot, removed);
                        model.remove(&slot);
                    }
                    Step::Spoil(slot) => ledger.spoil(slot),
                }
                let bytes: usize = model.values().map(|(_, size, _)| size).sum();
                prop_assert_eq!((ledger.count(), ledger.bytes()), (model.len(), bytes));
            }
        }
    }
}
