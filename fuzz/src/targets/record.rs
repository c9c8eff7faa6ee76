//! One stored QoS 1 message: what is read is what was written, and nothing else is read.

use iotx::device::store::record::{Broken, OVERHEAD, Record};
use iotx::mqtt::topic::Rules;
use sha2::{Digest, Sha256};

use super::super::input::Input;

pub fn run(data: &[u8]) {
    read(data);
    // With the checksum that belongs to it, or the content would hardly ever be looked at.
    let len = data.len().min(4_000);
    let digest = Sha256::digest(&data[..len]);
    read(&[&data[..len], &digest[..8], b"behind"].concat());
    write(data);
}

fn read(bytes: &[u8]) {
    match Record::decode(bytes) {
        Ok(record) => {
            assert_ne!(record.packet_id, 0);
            assert_eq!(Rules::Standard.check_name(record.topic.as_bytes()), Ok(()));
            let again = record.encode().expect("was one");
            assert_eq!(
                again.len(),
                Record::size(record.topic.len(), record.payload.len())
            );
            assert!(bytes.starts_with(&again));
        }
        Err(broken) => {
            let erased =
                bytes.iter().all(|byte| *byte == 0) || bytes.iter().all(|byte| *byte == 0xff);
            assert_eq!(
                broken == Broken::Erased,
                erased && !bytes.is_empty(),
                "{bytes:?}"
            );
        }
    }
}

fn write(data: &[u8]) {
    let mut input = Input::new(data);
    let (flags, number, place) = (input.byte(), input.u16(), usize::from(input.u16()));
    let name = String::from_utf8_lossy(input.block()).into_owned();
    let record = Record {
        sequence: u64::from(number) << 20,
        packet_id: number,
        retain: flags & 1 == 1,
        topic: &name,
        payload: input.rest(),
    };
    let mut bytes = record.encode().expect("short enough").to_vec();
    assert_eq!(bytes.len(), OVERHEAD + name.len() + record.payload.len());
    let legal = number != 0 && Rules::Standard.check_name(name.as_bytes()).is_ok();
    assert_eq!(Record::decode(&bytes).is_ok(), legal, "{record:?}");
    if legal {
        assert_eq!(Record::decode(&bytes), Ok(record));
    }
    // Cut anywhere, or with one bit changed anywhere, it is none.
    let place = place % bytes.len();
    assert!(Record::decode(&bytes[..place]).is_err());
    bytes[place] ^= 1 << (flags >> 5);
    assert!(Record::decode(&bytes).is_err());
}
