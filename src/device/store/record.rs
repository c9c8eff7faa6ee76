//! One stored message as bytes.
//!
//! | offset | bytes | content, little endian |
//! |---|---|---|
//! | 0 | 4 | `IXQ1` |
//! | 4 | 1 | version, 1 |
//! | 5 | 1 | flags: bit 0 RETAIN, the others 0 |
//! | 6 | 2 | packet id, not 0 |
//! | 8 | 8 | sequence number: order of publishing |
//! | 16 | 2 | length of the topic name, t |
//! | 18 | 4 | length of the payload, p |
//! | 22 | t + p | topic name, payload |
//! | 22 + t + p | 8 | the first bytes of SHA-256 of all before them |
//!
//! Bytes behind a record are ignored: a medium may know its places only as a whole.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::mqtt::topic::Rules;

const MAGIC: [u8; 4] = *b"IXQ1";
const VERSION: u8 = 1;
const RETAIN: u8 = 1;
const HEADER_LEN: usize = 22;
const CHECKSUM_LEN: usize = 8;

/// Bytes of a record besides topic name and payload.
pub const OVERHEAD: usize = HEADER_LEN + CHECKSUM_LEN;

/// A QoS 1 message with what is needed to send it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Order of publishing, over restarts.
    pub sequence: u64,
    /// Packet id it was sent under.
    pub packet_id: u16,
    /// RETAIN flag.
    pub retain: bool,
    /// Topic name.
    pub topic: &'a str,
    /// Payload.
    pub payload: &'a [u8],
}

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// An erased place: all bytes 0x00, or all 0xFF.
    Erased,
    /// They do not begin as a record does.
    NoRecord,
    /// Written by a version of the library that this one does not know.
    Version,
    /// The record goes on behind the last byte.
    Truncated,
    /// Checksum wrong.
    Checksum,
    /// The checksum is right, but the content is nothing that this library writes.
    Content,
}

impl Broken {
    /// For a state event.
    pub fn text(self) -> &'static str {
        match self {
            Broken::Erased => "erased",
            Broken::NoRecord => "no record",
            Broken::Version => "unknown version",
            Broken::Truncated => "truncated",
            Broken::Checksum => "wrong checksum",
            Broken::Content => "impossible content",
        }
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_LEN] {
    let digest = Sha256::digest(bytes);
    let mut sum = [0; CHECKSUM_LEN];
    sum.copy_from_slice(&digest[..CHECKSUM_LEN]);
    sum
}

impl<'a> Record<'a> {
    /// Size of the record of such a message, bytes.
    pub fn size(topic_len: usize, payload_len: usize) -> usize {
        topic_len
            .saturating_add(payload_len)
            .saturating_add(OVERHEAD)
    }

    /// The record as bytes, wiped when dropped; None if topic or payload are too long for it.
    pub fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let topic_len = u16::try_from(self.topic.len()).ok()?;
        let payload_len = u32::try_from(self.payload.len()).ok()?;
        let size = Record::size(self.topic.len(), self.payload.len());
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.extend_from_slice(&MAGIC);
        bytes.push(VERSION);
        bytes.push(if self.retain { RETAIN } else { 0 });
        bytes.extend_from_slice(&self.packet_id.to_le_bytes());
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&topic_len.to_le_bytes());
        bytes.extend_from_slice(&payload_len.to_le_bytes());
        bytes.extend_from_slice(self.topic.as_bytes());
        bytes.extend_from_slice(self.payload);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        Some(bytes)
    }

    /// Reads a record, believing nothing.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Broken> {
        if let Some(&first) = bytes.first()
            && matches!(first, 0x00 | 0xff)
            && bytes.iter().all(|&byte| byte == first)
        {
            return Err(Broken::Erased);
        }
        let mut rest = bytes;
        let magic: [u8; 4] = take(&mut rest).ok_or(Broken::NoRecord)?;
        if magic != MAGIC {
            return Err(Broken::NoRecord);
        }
        let [version, flags] = take(&mut rest).ok_or(Broken::Truncated)?;
        if version != VERSION {
            return Err(Broken::Version);
        }
        let packet_id = u16::from_le_bytes(take(&mut rest).ok_or(Broken::Truncated)?);
        let sequence = u64::from_le_bytes(take(&mut rest).ok_or(Broken::Truncated)?);
        let topic_len = u16::from_le_bytes(take(&mut rest).ok_or(Broken::Truncated)?);
        let payload_len = u32::from_le_bytes(take(&mut rest).ok_or(Broken::Truncated)?);
        let topic_end = HEADER_LEN + usize::from(topic_len);
        let end = usize::try_from(payload_len)
            .ok()
            .and_then(|len| topic_end.checked_add(len))
            .ok_or(Broken::Truncated)?;
        let (contents, behind) = bytes.split_at_checked(end).ok_or(Broken::Truncated)?;
        let sum = behind.get(..CHECKSUM_LEN).ok_or(Broken::Truncated)?;
        if checksum(contents) != sum {
            return Err(Broken::Checksum);
        }
        let topic = std::str::from_utf8(&contents[HEADER_LEN..topic_end]);
        let topic = topic.map_err(|_| Broken::Content)?;
        // The client that wrote it may have had looser rules than the one that reads it.
        let topic_ok = Rules::Standard.check_name(topic.as_bytes()).is_ok();
        if packet_id == 0 || flags & !RETAIN != 0 || !topic_ok {
            return Err(Broken::Content);
        }
        Ok(Record {
            sequence,
            packet_id,
            retain: flags & RETAIN != 0,
            topic,
            payload: &contents[topic_end..],
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sequence, packet id, RETAIN, topic name, payload.
    type Parts = (u64, u16, bool, String, Vec<u8>);

    fn parts() -> impl Strategy<Value = Parts> {
        (
            any::<u64>(),
            1..=u16::MAX,
            any::<bool>(),
            "[a-zA-Z0-9_/äß€]{1,200}",
            proptest::collection::vec(any::<u8>(), 0..200),
        )
    }

    fn record((sequence, packet_id, retain, topic, payload): &Parts) -> Record<'_> {
        Record {
            sequence: *sequence,
            packet_id: *packet_id,
            retain: *retain,
            topic,
            payload,
        }
    }

    #[test]
    fn layout_byte_by_byte() {
        let record = Record {
            sequence: 0x0102_0304,
            packet_id: 0x1234,
            retain: true,
            topic: "/t",
            payload: b"hi",
        };
        let bytes = record.encode().expect("fits");
        let want = [
            b'I', b'X', b'Q', b'1', 1, 1, 0x34, 0x12, 4, 3, 2, 1, 0, 0, 0, 0, 2, 0, 2, 0, 0, 0,
            b'/', b't', b'h', b'i',
        ];
        assert_eq!(bytes[..26], want);
        assert_eq!(bytes[26..], Sha256::digest(want)[..8]);
        assert_eq!(bytes.len(), Record::size(2, 2));
    }

    #[test]
    fn a_right_checksum_does_not_make_nonsense_a_message() {
        let good = Record {
            sequence: 1,
            packet_id: 7,
            retain: false,
            topic: "/topic",
            payload: b"x",
        };
        let nonsense = [
            Record {
                packet_id: 0,
                ..good
            },
            Record {
                topic: "/a/#",
                ..good
            },
            Record { topic: "", ..good },
        ];
        for record in nonsense {
            let bytes = record.encode().expect("fits");
            assert_eq!(Record::decode(&bytes), Err(Broken::Content), "{record:?}");
        }
        let mut flags = good.encode().expect("fits").to_vec();
        flags[5] = 2;
        let end = flags.len() - CHECKSUM_LEN;
        let sum = checksum(&flags[..end]);
        flags[end..].copy_from_slice(&sum);
        assert_eq!(Record::decode(&flags), Err(Broken::Content));
    }

    #[test]
    fn erased_memory_and_other_versions_are_told_apart() {
        assert_eq!(Record::decode(&[0xff; 64]), Err(Broken::Erased));
        assert_eq!(Record::decode(&[0; 64]), Err(Broken::Erased));
        assert_eq!(Record::decode(b""), Err(Broken::NoRecord));
        assert_eq!(Record::decode(b"IXQ1\x02whatever"), Err(Broken::Version));
        assert_eq!(Record::decode(b"IXQ1\x01\x00"), Err(Broken::Truncated));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            // The same cases in every run.
            rng_seed: proptest::test_runner::RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn what_was_encoded_is_decoded(parts in parts(), behind in proptest::collection::vec(any::<u8>(), 0..40)) {
            let record = record(&parts);
            let mut bytes = record.encode().expect("fits").to_vec();
            prop_assert_eq!(bytes.len(), Record::size(record.topic.len(), record.payload.len()));
            prop_assert_eq!(Record::decode(&bytes), Ok(record));
            bytes.extend(behind);
            prop_assert_eq!(Record::decode(&bytes), Ok(record));
        }

        #[test]
        fn every_truncation_is_found(parts in parts(), cut in any::<proptest::sample::Index>()) {
            let bytes = record(&parts).encode().expect("fits");
            let cut = cut.index(bytes.len());
            prop_assert!(Record::decode(&bytes[..cut]).is_err());
            // The rest of the place erased, as after a power failure while writing.
            let mut padded = bytes[..cut].to_vec();
            padded.resize(bytes.len(), 0xff);
            prop_assert!(padded == **bytes || Record::decode(&padded).is_err());
        }

        #[test]
        fn every_changed_byte_is_found(parts in parts(), at in any::<proptest::sample::Index>(), change in 1..=u8::MAX) {
            let mut bytes = record(&parts).encode().expect("fits").to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            prop_assert!(Record::decode(&bytes).is_err());
        }

        #[test]
        fn garbage_is_no_record(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), like in any::<bool>()) {
            if like && bytes.len() > 5 {
                bytes[..5].copy_from_slice(b"IXQ1\x01");
            }
            prop_assert!(Record::decode(&bytes).is_err());
        }
    }
}
