use super::*;

/// Payload, last Ping and end of what a server sends, in pieces of every size.
fn decode(bytes: &[u8]) -> (Vec<u8>, Option<Vec<u8>>, Option<End>) {
    let mut results = (1..=bytes.len().max(1)).map(|size| {
        let mut decoder = Decoder::default();
        let (mut payload, mut ping) = (Vec::new(), None);
        for piece in bytes.chunks(size) {
            let mut buffer = piece.to_vec();
            let count = decoder.decode(&mut buffer);
            payload.extend_from_slice(&buffer[..count]);
            if let Some(control) = decoder.take_ping() {
                ping = Some(control.payload().to_vec());
            }
        }
        (payload, ping, decoder.end())
    });
    let first = results.next().expect("one size at least");
    for other in results {
        assert_eq!(other, first);
    }
    first
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, payload.len() as u8];
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn payload_is_one_stream_however_it_is_cut() {
    let bytes = [
        frame(0x82, b"one"),
        frame(0x02, b"t"),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x00, b"w"),
        frame(0x8a, b"pong"),
        frame(0x80, b"o"),
        frame(0x82, b""),
        frame(0x82, b"three"),
    ];
    let want = (b"onetwothree".to_vec(), Some(b"ping".to_vec()), None);
    assert_eq!(decode(&bytes.concat()), want);
}

#[test]
fn long_frames_are_passed_on_as_they_come() {
    let mut decoder = Decoder::default();
    let mut head = [&[0x82, 127][..], &FRAME_MAX.to_be_bytes()].concat();
    assert_eq!(decoder.decode(&mut head), 0);
    assert_eq!(decoder.wanted(4), 4);
    let mut left = FRAME_MAX;
    let mut buffer = vec![7; 1 << 20];
    while left > 0 {
        let count = buffer.len().min(usize::try_from(left).expect("fits"));
        assert_eq!(decoder.decode(&mut buffer[..count]), count);
        left -= count as u64;
    }
    assert_eq!((decoder.end(), decoder.wanted(4)), (None, 2));
}

#[test]
fn violations_end_it_in_clear_words() {
    let over = (FRAME_MAX + 1).to_be_bytes();
    let cases: [(&[u8], &str, u16); 17] = [
        (&[0x81, 1, b'x'], "text frame", 1003),
        (&[0x01, 1, b'x'], "text frame", 1003),
        (
            &[0x82, 0x81, 0, 0, 0, 0, 1],
            "masked frame from the server",
            1002,
        ),
        (&[0xc2, 0], "frame with a reserved bit", 1002),
        (&[0xa2, 0], "frame with a reserved bit", 1002),
        (&[0x92, 0], "frame with a reserved bit", 1002),
        (&[0x83, 0], "frame with a reserved opcode", 1002),
        (&[0x8b, 0], "frame with a reserved opcode", 1002),
        (&[0x80, 0], "continuation without a start", 1002),
        (
            &[0x02, 0, 0x82, 0],
            "message inside a fragmented message",
            1002,
        ),
        (&[0x09, 0], "fragmented control frame", 1002),
        (
            &[0x89, 126, 0, 126],
            "control frame larger than 125 bytes",
            1002,
        ),
        (&[0x88, 1, 3], "close frame of one byte", 1002),
        (
            &[0x82, 126, 0, 125],
            "frame length not in its shortest form",
            1002,
        ),
        (
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255],
            "frame length not in its shortest form",
            1002,
        ),
        (
            &[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255],
            "frame larger than any MQTT packet",
            1009,
        ),
        (
            &[&[0x82, 127][..], &over].concat(),
            "frame larger than any MQTT packet",
            1009,
        ),
    ];
    for (bytes, text, code) in cases {
        let bytes = [&frame(0x82, b"before"), bytes, &frame(0x82, b"behind")].concat();
        let want = Some(End::Violation { text, code });
        assert_eq!(decode(&bytes), (b"before".to_vec(), None, want), "{text}");
    }
}

#[test]
fn close_frames_end_it() {
    for (close, code) in [
        (frame(0x88, b""), None),
        (frame(0x88, &[3, 232]), Some(1000)),
        (frame(0x88, b"\x03\xf0policy"), Some(1008)),
    ] {
        let bytes = [frame(0x82, b"a"), close, frame(0x82, b"b")].concat();
        assert_eq!(
            decode(&bytes),
            (b"a".to_vec(), None, Some(End::Closed(code)))
        );
    }
}

#[test]
fn what_is_wanted_is_certain_to_come() {
    let mut long = vec![0x82, 126, 1, 0];
    long.extend([5; 256]);
    let bytes = [
        frame(0x89, b"ping"),
        long,
        frame(0x02, b"x"),
        frame(0x80, b"yz"),
    ]
    .concat();
    for payload in [1, 2, 300] {
        let mut decoder = Decoder::default();
        let (mut from, mut got) = (0, 0);
        while from < bytes.len() {
            let wanted = decoder.wanted(payload);
            // A port would wait for ever for a byte that the server need not send.
            assert!(wanted >= 1 && from + wanted <= bytes.len());
            let mut buffer = bytes[from..from + wanted].to_vec();
            got += decoder.decode(&mut buffer);
            from += wanted;
        }
        assert_eq!((got, decoder.end()), (259, None));
    }
}

#[test]
fn frames_sent_are_masked_and_as_short_as_they_can_be() {
    for (len, head) in [
        (0, vec![0x82, 0x80]),
        (125, vec![0x82, 0xfd]),
        (126, vec![0x82, 0xfe, 0, 126]),
        (65_535, vec![0x82, 0xfe, 255, 255]),
        (65_536, vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let mut out = b"x".to_vec();
        encode(&mut out, Opcode::Binary, &payload, [1, 2, 4, 8]);
        let (sent_head, rest) = out[1..].split_at(head.len());
        assert_eq!((sent_head, &rest[..4]), (&head[..], &[1, 2, 4, 8][..]));
        let unmasked = rest[4..].iter().enumerate();
        let plain: Vec<u8> = unmasked
            .map(|(n, byte)| byte ^ [1, 2, 4, 8][n % 4])
            .collect();
        assert_eq!(plain, payload);
    }
}
