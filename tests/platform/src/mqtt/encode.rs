//! The packets of a server, as bytes.

use super::Publish;

/// `length` in the variable form of the fixed header (MQTT 3.1.1 §2.2.3). At most 268 435 455.
pub fn remaining_length(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4);
    loop {
        let low = (length % 128) as u8;
        length /= 128;
        if length == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend(remaining_length(body.len()));
    bytes.extend_from_slice(body);
    bytes
}

/// CONNACK. Session present is sent with return code 0 only [MQTT-3.2.2-4].
pub fn connack(session_present: bool, code: u8) -> Vec<u8> {
    packet(0x20, &[u8::from(session_present && code == 0), code])
}

/// PUBLISH. The topic must have at most 65 535 bytes.
pub fn publish(message: &Publish) -> Vec<u8> {
    let first = 0x30 | u8::from(message.dup) << 3 | message.qos << 1 | u8::from(message.retain);
    let topic = message.topic.as_bytes();
    let mut body = Vec::with_capacity(topic.len() + message.payload.len() + 4);
    body.extend((topic.len() as u16).to_be_bytes());
    body.extend_from_slice(topic);
    if message.qos > 0 {
        body.extend(message.packet_id.to_be_bytes());
    }
    body.extend_from_slice(&message.payload);
    packet(first, &body)
}

/// PUBACK.
pub fn puback(packet_id: u16) -> Vec<u8> {
    packet(0x40, &packet_id.to_be_bytes())
}

/// SUBACK with one return code for each filter, in their order.
pub fn suback(packet_id: u16, codes: &[u8]) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    body.extend_from_slice(codes);
    packet(0x90, &body)
}

/// UNSUBACK.
pub fn unsuback(packet_id: u16) -> Vec<u8> {
    packet(0xB0, &packet_id.to_be_bytes())
}

/// PINGRESP.
pub fn pingresp() -> Vec<u8> {
    packet(0xD0, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_length_at_the_borders_of_the_standard() {
        for (length, bytes) in [
            (0, vec![0x00]),
            (127, vec![0x7F]),
            (128, vec![0x80, 0x01]),
            (321, vec![0xC1, 0x02]),
            (16_383, vec![0xFF, 0x7F]),
            (16_384, vec![0x80, 0x80, 0x01]),
            (2_097_151, vec![0xFF, 0xFF, 0x7F]),
            (2_097_152, vec![0x80, 0x80, 0x80, 0x01]),
            (268_435_455, vec![0xFF, 0xFF, 0xFF, 0x7F]),
        ] {
            assert_eq!(remaining_length(length), bytes, "{length}");
        }
    }

    #[test]
    fn server_packets_byte_by_byte() {
        assert_eq!(connack(false, 0), [0x20, 2, 0, 0]);
        assert_eq!(connack(true, 0), [0x20, 2, 1, 0]);
        assert_eq!(connack(true, 5), [0x20, 2, 0, 5]);
        assert_eq!(puback(0x0102), [0x40, 2, 1, 2]);
        assert_eq!(suback(10, &[0, 1, 0x80]), [0x90, 5, 0, 10, 0, 1, 0x80]);
        assert_eq!(unsuback(65_535), [0xB0, 2, 255, 255]);
        assert_eq!(pingresp(), [0xD0, 0]);
        let message = Publish {
            dup: true,
            qos: 1,
            retain: true,
            topic: "a/b".into(),
            packet_id: 10,
            payload: b"hi".to_vec(),
        };
        assert_eq!(
            publish(&message),
            [0x3B, 9, 0, 3, b'a', b'/', b'b', 0, 10, b'h', b'i']
        );
        let plain = Publish {
            dup: false,
            qos: 0,
            retain: false,
            payload: vec![],
            ..message
        };
        assert_eq!(publish(&plain), [0x30, 5, 0, 3, b'a', b'/', b'b']);
    }
}
