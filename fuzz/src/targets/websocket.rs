//! What a server or proxy sends around MQTT: the head of an HTTP answer, the handshake of WebSocket, frames. In
//! portions it means the same as whole; frames are what a reference decoder finds in them; and no answer passes
//! that does not prove to know the key.

use iotx::transport::http::{Answer, HEAD_MAX, Head};
use iotx::transport::websocket::frame::{Decoder, End, FRAME_MAX};
use iotx::transport::websocket::handshake::{self, Key, WebSocket};

use super::super::input::Input;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.below(4);
    let portions = [input.byte(), input.byte()];
    match kind {
        0 => head(input.rest(), portions),
        1 => request(&mut input),
        _ => frames(input.rest(), portions),
    }
}

// ---- HTTP --------------------------------------------------------------------------------------

type Found = Result<Option<(Answer, usize)>, &'static str>;

/// The answer in `bytes` and where it ends, pushed in portions of `size`.
fn parse(bytes: &[u8], size: impl Fn(&Head, usize) -> usize) -> Found {
    let mut head = Head::default();
    let mut from = 0;
    while from < bytes.len() {
        let count = size(&head, from).min(bytes.len() - from);
        assert!(count > 0);
        match head.push(&bytes[from..from + count])? {
            Some((answer, taken)) => return Ok(Some((answer, from + taken))),
            None => from += count,
        }
    }
    Ok(None)
}

fn head(rest: &[u8], portions: [u8; 2]) {
    // Most inputs would end at the status line otherwise.
    let bytes = match portions[1] % 3 {
        0 => rest.to_vec(),
        1 => [b"HTTP/1.1 101 x\r\n", rest, b"\r\n\r\n"].concat(),
        _ => [
            b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
            rest,
            b"\r\n\r\n",
        ]
        .concat(),
    };
    let whole = parse(&bytes, |_, _| usize::MAX);
    assert_eq!(parse(&bytes, |_, _| 1 + usize::from(portions[0])), whole);
    // Who reads what is wished for reads nothing behind the head.
    let by_wish = parse(&bytes, |head, from| {
        let wanted = head.wanted();
        if let Ok(Some((_, end))) = &whole {
            assert!(from + wanted <= *end);
        }
        wanted
    });
    assert_eq!(by_wish, whole);
    let Ok(Some((answer, end))) = whole else {
        return;
    };
    assert!(end <= HEAD_MAX && bytes[..end].ends_with(b"\n"));
    let key = Key::new(*b"the sample nonce");
    let accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(key.accept(), *accept);
    let knows = bytes.windows(accept.len()).any(|window| window == accept);
    match handshake::check(&answer, &key) {
        Ok(()) => assert!(knows && answer.status == 101),
        Err(refusal) => assert!(!refusal.text.is_empty() && refusal.text.len() < 60),
    }
}

/// Whatever path and headers are taken, a request keeps its shape.
fn request(input: &mut Input<'_>) {
    let path = String::from_utf8_lossy(input.block()).into_owned();
    let headers = String::from_utf8_lossy(input.rest()).into_owned();
    let Ok(websocket) = WebSocket::new(&path, &headers) else {
        return;
    };
    let key = Key::new([7; 16]);
    let request = websocket.request("broker", 443, &key).to_vec();
    let text = String::from_utf8(request).expect("text");
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines[0], format!("GET {path} HTTP/1.1"));
    assert_eq!(lines[1], "Host: broker:443");
    // The empty line stands at the end and nowhere else, and no line ends in another way.
    let (end, body) = lines.split_at(lines.len() - 2);
    assert_eq!(body, ["", ""]);
    assert!(
        end.iter()
            .all(|line| !line.is_empty() && !line.contains(['\r', '\n']))
    );
    let own = ["host:", "connection:", "upgrade:", "sec-websocket-key:"];
    for name in own {
        let count = end
            .iter()
            .filter(|line| line.to_ascii_lowercase().starts_with(name))
            .count();
        assert_eq!(count, 1, "{text}");
    }
    assert!(end.len() <= 7 + headers.lines().count());
}

// ---- frames ------------------------------------------------------------------------------------

/// What a server said, as the reference sees it.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    payload: Vec<u8>,
    pings: Vec<Vec<u8>>,
    closed: Option<Option<u16>>,
    violated: bool,
}

/// The reference: frame by frame from the whole stream; and where frames end.
fn reference(stream: &[u8]) -> (Said, Vec<usize>) {
    let mut said = Said {
        payload: Vec::new(),
        pings: Vec::new(),
        closed: None,
        violated: false,
    };
    let (mut ends, mut at, mut open) = (Vec::new(), 0, false);
    while said.closed.is_none() && !said.violated {
        let rest = &stream[at..];
        let Some(&first) = rest.first() else { break };
        let (opcode, last) = (first & 15, first >= 128);
        let fits = match opcode {
            0 => open,
            2 => !open,
            8..=10 => last,
            _ => false,
        };
        if first & 0x70 != 0 || !fits {
            said.violated = true;
            break;
        }
        let Some(&second) = rest.get(1) else { break };
        if second >= 128 || (opcode >= 8 && second > 125) {
            said.violated = true;
            break;
        }
        let digits = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(long) = rest.get(2..2 + digits) else {
            break;
        };
        let long = long
            .iter()
            .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let length = if digits == 0 { u64::from(second) } else { long };
        let minimal = match digits {
            2 => length > 125,
            8 => length > 65_535,
            _ => true,
        };
        if !minimal || length > FRAME_MAX {
            said.violated = true;
            break;
        }
        let body = &rest[2 + digits..];
        let there = body
            .len()
            .min(usize::try_from(length).expect("below 256 MiB"));
        let complete = there as u64 == length;
        if opcode < 8 {
            open = !last;
            said.payload.extend_from_slice(&body[..there]);
        } else if complete && opcode == 9 {
            said.pings.push(body[..there].to_vec());
        } else if complete && opcode == 8 {
            match body[..there] {
                [] => said.closed = Some(None),
                [_] => said.violated = true,
                [high, low, ..] => said.closed = Some(Some(u16::from(high) << 8 | u16::from(low))),
            }
        }
        if !complete {
            break;
        }
        at += 2 + digits + there;
        ends.push(at);
    }
    (said, ends)
}

/// The decoder, fed in portions.
fn decode(stream: &[u8], size: impl Fn(&Decoder, usize) -> usize) -> Said {
    let mut decoder = Decoder::default();
    let (mut payload, mut pings) = (Vec::new(), Vec::new());
    let mut from = 0;
    while from < stream.len() {
        let count = size(&decoder, from).min(stream.len() - from);
        assert!(count > 0);
        let mut buffer = stream[from..from + count].to_vec();
        let got = decoder.decode(&mut buffer);
        payload.extend_from_slice(&buffer[..got]);
        if let Some(ping) = decoder.take_ping() {
            pings.push(ping.payload().to_vec());
        }
        from += count;
    }
    Said {
        payload,
        pings,
        closed: match decoder.end() {
            Some(End::Closed(code)) => Some(code),
            _ => None,
        },
        violated: matches!(decoder.end(), Some(End::Violation { .. })),
    }
}

fn frames(stream: &[u8], portions: [u8; 2]) {
    let (said, ends) = reference(stream);
    assert_eq!(decode(stream, |_, _| 1), said);
    // In larger portions only the last of several Pings counts.
    let in_portions = decode(stream, |_, from| {
        1 + usize::from(portions[from % portions.len()])
    });
    assert_eq!(
        (
            &in_portions.payload,
            in_portions.closed,
            in_portions.violated
        ),
        (&said.payload, said.closed, said.violated)
    );
    assert!(
        in_portions
            .pings
            .iter()
            .all(|ping| said.pings.contains(ping))
    );
    assert_eq!(
        in_portions.pings.last().is_some(),
        said.pings.last().is_some()
    );
    // Who reads what is wished for never waits for a byte behind the frame under way.
    let wish = 1 + usize::from(portions[0]);
    let by_wish = decode(stream, |decoder, from| {
        let wanted = decoder.wanted(wish);
        assert!(
            decoder.end().is_some() || ends.iter().all(|end| *end <= from || *end >= from + wanted)
        );
        wanted
    });
    assert_eq!(by_wish, said);
}
