use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A link with what the server sends, in pieces, and what it got.
#[derive(Default)]
struct Memory {
    incoming: Mutex<Vec<Vec<u8>>>,
    sent: Mutex<Vec<u8>>,
    /// Whether reads keep to what was wanted, as with a port of the application's.
    contract: bool,
    /// Most bytes of one write; 0 for all.
    window: AtomicUsize,
}

impl Link for Memory {
    fn read(&self, buffer: &mut [u8], wanted: usize, _: u32) -> Result<usize, LinkError> {
        let mut incoming = lock(&self.incoming);
        let room = if self.contract { wanted } else { buffer.len() };
        let Some(piece) = incoming.first_mut() else {
            return Ok(0);
        };
        let count = piece.len().min(room).min(buffer.len());
        buffer[..count].copy_from_slice(&piece[..count]);
        piece.drain(..count);
        if piece.is_empty() {
            incoming.remove(0);
        }
        Ok(count)
    }

    fn write(&self, bytes: &[u8], _: u32) -> Result<usize, LinkError> {
        let count = match self.window.load(Ordering::Relaxed) {
            0 => bytes.len(),
            window => bytes.len().min(window),
        };
        lock(&self.sent).extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn tls(&self) -> Option<TlsInfo> {
        None
    }
}

fn link(memory: Memory, early: &[u8]) -> (Arc<Memory>, WsLink) {
    let memory = Arc::new(memory);
    let link = WsLink::new(Arc::clone(&memory) as Arc<dyn Link>, early.to_vec());
    (memory, link)
}

fn server(bytes: &[&[u8]]) -> Memory {
    Memory {
        incoming: Mutex::new(bytes.iter().map(|piece| piece.to_vec()).collect()),
        ..Memory::default()
    }
}

/// The frames a client sent, unmasked: first byte and payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        assert!(second & 0x80 != 0, "not masked");
        let (len, rest) = match second & 0x7f {
            126 => (usize::from(rest[0]) << 8 | usize::from(rest[1]), &rest[2..]),
            127 => panic!("longer than 64 KiB"),
            short => (usize::from(short), rest),
        };
        let (key, rest) = rest.split_at(4);
        let payload = rest[..len].iter().zip(key.iter().cycle());
        found.push((*first, payload.map(|(byte, mask)| byte ^ mask).collect()));
        bytes = &rest[len..];
    }
    found
}

fn read_all(link: &WsLink) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 7];
    loop {
        match link.read(&mut buffer, 3, 0) {
            Ok(0) | Err(_) => return all,
            Ok(count) => all.extend_from_slice(&buffer[..count]),
        }
    }
}

#[test]
fn bytes_come_through_whatever_the_server_cuts() {
    let bytes = b"\x82\x03one\x02\x01t\x89\x02hi\x00\x01w\x80\x01o\x82\x05three";
    for contract in [false, true] {
        for size in 1..=bytes.len() {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            // What came with the answer of the handshake counts as well.
            let (early, late) = pieces.split_at(1);
            let (memory, link) = link(
                Memory {
                    contract,
                    ..server(late)
                },
                early[0],
            );
            let mut all = Vec::new();
            // The contract path may come back in between.
            for _ in 0..bytes.len() {
                all.extend(read_all(&link));
            }
            assert_eq!(all, b"onetwothree", "{size}");
            assert_eq!(frames(&lock(&memory.sent)), [(0x8a, b"hi".to_vec())]);
        }
    }
}

#[test]
fn what_is_written_goes_out_masked_with_a_mask_each() {
    let (memory, link) = link(Memory::default(), b"");
    assert_eq!(link.write(b"same", 10), Ok(4));
    assert_eq!(link.write(b"same", 10), Ok(4));
    let long = vec![9; 2 * FRAME + 1];
    assert_eq!(link.write(&long, 10), Ok(long.len()));
    let sent = lock(&memory.sent).clone();
    assert_ne!(sent[2..6], sent[12..16], "one mask for two frames");
    let frames = frames(&sent);
    assert!(frames.iter().all(|(first, _)| *first == 0x82));
    let lens: Vec<usize> = frames.iter().map(|(_, payload)| payload.len()).collect();
    assert_eq!(lens, [4, 4, FRAME, FRAME, 1]);
    assert_eq!(frames[0].1, b"same");
}

#[test]
fn a_slow_network_gets_the_same_frames() {
    let (memory, link) = link(Memory::default(), b"");
    memory.window.store(3, Ordering::Relaxed);
    // Time is over after the first bytes; what was accepted is not to be written again.
    let accepted = link.write(b"hello", 0).expect("no failure");
    assert_eq!(accepted, 5);
    assert!(link.has_unsent());
    let mut buffer = [0; 8];
    for _ in 0..10 {
        assert_eq!(link.read(&mut buffer, 1, 0), Ok(0));
    }
    assert!(!link.has_unsent());
    assert_eq!(frames(&lock(&memory.sent)), [(0x82, b"hello".to_vec())]);
}

#[test]
fn a_violation_is_named_and_answered_behind_what_came_before() {
    let (memory, link) = link(server(&[b"\x82\x02ok\x81\x01x\x82\x02no"]), b"");
    let mut buffer = [0; 64];
    assert_eq!(link.read(&mut buffer, 1, 5), Ok(2));
    assert_eq!(&buffer[..2], b"ok");
    let error = LinkError::Failed("websocket: text frame".into());
    assert_eq!(link.read(&mut buffer, 1, 5), Err(error.clone()));
    assert_eq!(link.write(b"x", 5), Err(error));
    assert_eq!(frames(&lock(&memory.sent)), [(0x88, vec![3, 235])]);
}

#[test]
fn a_close_of_the_server_is_the_end() {
    let cases: [(&[u8], LinkError, u16); 3] = [
        (b"\x88\x00", LinkError::Closed, 1000),
        (b"\x88\x02\x03\xe8", LinkError::Closed, 1000),
        (
            b"\x88\x02\x03\xf0",
            LinkError::Failed("websocket: server closed with code 1008".into()),
            1008,
        ),
    ];
    for (bytes, error, code) in cases {
        let (memory, link) = link(server(&[bytes]), b"");
        assert_eq!(link.read(&mut [0; 64], 1, 5), Err(error));
        drop(link);
        let close = (0x88, code.to_be_bytes().to_vec());
        assert_eq!(frames(&lock(&memory.sent)), [close]);
    }
}

#[test]
fn a_link_given_up_says_goodbye() {
    let (memory, link) = link(Memory::default(), b"");
    drop(link);
    assert_eq!(frames(&lock(&memory.sent)), [(0x88, vec![3, 232])]);
}

#[test]
fn chatter_does_not_hold_a_reader() {
    let ping = b"\x89\x00".repeat(CHATTER_MAX);
    let (memory, link) = link(server(&[&ping]), b"");
    let mut buffer = [0; 4096];
    assert_eq!(link.read(&mut buffer, 1, 0), Ok(0));
    let left = lock(&memory.incoming).concat().len();
    assert_eq!(left, ping.len() - CHATTER_MAX);
}
