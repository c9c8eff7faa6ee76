use super::*;

/// The answer in `bytes`, read by what [`Head::wanted`] says, and how many bytes were taken.
fn by_wish(bytes: &[u8]) -> Result<(Answer, usize), &'static str> {
    let mut head = Head::default();
    let mut from = 0;
    loop {
        let wanted = head.wanted();
        assert!(
            from + wanted <= bytes.len(),
            "waits for bytes that need not come"
        );
        let found = head.push(&bytes[from..from + wanted])?;
        if let Some((answer, taken)) = found {
            return Ok((answer, from + taken));
        }
        from += wanted;
    }
}

/// The same, all at once, and byte by byte.
fn parse(bytes: &[u8]) -> Result<Option<(Answer, usize)>, &'static str> {
    let at_once = Head::default().push(bytes);
    let mut head = Head::default();
    let mut slowly = Ok(None);
    for (index, byte) in bytes.iter().enumerate() {
        slowly = match head.push(&[*byte]) {
            Ok(None) => continue,
            Ok(Some((answer, taken))) => Ok(Some((answer, index + taken))),
            Err(text) => Err(text),
        };
        break;
    }
    assert_eq!(at_once, slowly);
    at_once
}

#[test]
fn heads_end_where_they_end() {
    for (bytes, status, taken) in [
        (&b"HTTP/1.1 200 OK\r\n\r\nrest"[..], 200, 19),
        (b"HTTP/1.0 407\r\n\r\n", 407, 16),
        (b"HTTP/1.1 200\n\n", 200, 14),
        (b"HTTP/1.1 101 Switching\r\nA: b\r\n\r\n\x81", 101, 32),
    ] {
        let (answer, end) = parse(bytes).expect("an answer").expect("complete");
        assert_eq!((answer.status, end), (status, taken));
        // A port that waits for every byte asked for is never asked for one behind the head.
        assert_eq!(by_wish(&bytes[..taken]), Ok((answer, taken)));
    }
}

#[test]
fn fields_are_found_in_any_spelling() {
    let text = b"HTTP/1.1 101 x\r\nUPGRADE:  WebSocket \r\nconnection: keep-alive, Upgrade\r\nA: 1\r\na: 2\r\n\r\n";
    let (answer, _) = parse(text).expect("an answer").expect("complete");
    assert_eq!(answer.values("a").collect::<Vec<_>>(), [b"1", b"2"]);
    assert!(answer.has_token("Upgrade", "websocket"));
    assert!(answer.has_token("Connection", "upgrade"));
    assert!(!answer.has_token("Connection", "keep"));
    assert!(!answer.has_token("None", ""));
}

#[test]
fn what_is_not_an_answer_is_refused_early() {
    for (bytes, text) in [
        (&b" "[..], "not HTTP"),
        (b"\x16\x03\x01", "not HTTP"),
        (b"HTTP/2", "not HTTP"),
        (b"\x20\x02\x00\x00", "not HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "not valid HTTP"),
        (b"HTTP/1.1\r\n\r\n", "not valid HTTP"),
    ] {
        let error = parse(bytes).expect_err("no answer");
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn heads_are_bounded() {
    let mut endless = b"HTTP/1.1 101 x\r\nA: ".to_vec();
    endless.resize(HEAD_MAX, b'a');
    assert_eq!(parse(&endless), Ok(None));
    endless.push(b'a');
    assert_eq!(
        parse(&endless),
        Err("head of the answer is longer than 8 KiB")
    );
    // One that just fits.
    let mut fitting = b"HTTP/1.1 101 x\r\nA: ".to_vec();
    fitting.resize(HEAD_MAX - 4, b'a');
    fitting.extend_from_slice(b"\r\n\r\n");
    assert_eq!(parse(&fitting).map(|found| found.is_some()), Ok(true));
    let many = ["HTTP/1.1 101 x\r\n", &"A: b\r\n".repeat(65), "\r\n"].concat();
    assert_eq!(
        parse(many.as_bytes()),
        Err("answer has over 64 header fields")
    );
}

#[test]
fn statuses_speak() {
    let text = |status| {
        let fields = Vec::new();
        Answer { status, fields }.status_text()
    };
    assert_eq!(text(403), "status 403 (forbidden)");
    assert_eq!(text(302), "status 302 (redirect)");
    assert_eq!(text(599), "status 599");
}
