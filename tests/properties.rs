//! Rules that hold for whatever comes: proptest makes the cases, from a fixed seed. `PROPTEST_CASES=100000`
//! asks for more of them.
#![allow(
    dead_code,
    reason = "the reference serves the fuzz targets as well, which use what is unused here"
)]

#[path = "../fuzz/src/reference.rs"]
mod reference;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{c_char, c_int};

use iotx::ffi::infra_cjson::lite_cjson_t;
use iotx::hal::kv::{KvError, Store};
use iotx::hal::tls::ServerName;
use iotx::hal::uptime::Extender;
use iotx::mqtt::engine::Message;
use iotx::mqtt::{Engine, Event, Limits, Login, topic};
use iotx::sign::SignMethod;
use iotx::sign::platform::{connect_password, sign_content};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;
use zeroize::Zeroizing;

fn config() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(0x1074),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

// ---- protocol engine ---------------------------------------------------------------------------

fn engine(inflight_max: usize) -> Engine {
    let mut engine = Engine::new(Limits {
        write_max: 4096,
        read_max: 300,
        inflight_max,
        request_timeout_ms: 5_000,
        keepalive_ms: 60_000,
    });
    let login = Login {
        client_id: "c".into(),
        username: "u".into(),
        password: Zeroizing::new("p".into()),
        clean_session: false,
        omit_empty: false,
    };
    engine.connect(&login).expect("fits");
    engine
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut len = body.len();
    while len > 127 {
        packet.push((len % 128) as u8 | 128);
        len /= 128;
    }
    packet.push(len as u8);
    packet.extend_from_slice(body);
    packet
}

fn publish(topic: &str, payload: &[u8], qos: u8, pkid: u16) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    if qos > 0 {
        body.extend_from_slice(&pkid.to_be_bytes());
    }
    body.extend_from_slice(payload);
    packet(0x30 | qos << 1, &body)
}

/// Mostly what a server sends; some of it too large, some of it nonsense.
fn server_packet() -> impl Strategy<Value = Vec<u8>> {
    let id = 1_u16..200;
    prop_oneof![
        8 => ("/[a-c/]{0,6}", vec(any::<u8>(), 0..400), 0_u8..3, id.clone())
            .prop_map(|(topic, payload, qos, pkid)| publish(&topic, &payload, qos, pkid)),
        3 => (0..3_usize, id).prop_map(|(kind, pkid)| {
            let [high, low] = pkid.to_be_bytes();
            match kind {
                0 => packet(0x40, &[high, low]),
                1 => packet(0x90, &[high, low, 1]),
                _ => packet(0xb0, &[high, low]),
            }
        }),
        1 => Just(packet(0xd0, &[])),
        1 => vec(any::<u8>(), 1..6),
    ]
}

/// Everything the engine says about these portions, as text, and whether it broke off.
fn told<'a>(portions: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, bool) {
    let mut engine = engine(8);
    let mut events = Vec::new();
    for portion in portions {
        engine.receive(portion);
        loop {
            match engine.next_event(0) {
                Ok(Some(event)) => events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(_) => return (events, true),
            }
        }
    }
    (events, false)
}

proptest! {
    #![proptest_config(config())]

    /// However the network cuts a stream, the same is in it.
    #[test]
    fn portions_do_not_matter(
        packets in vec(server_packet(), 0..12),
        sizes in vec(1_usize..40, 1..6),
        cut in 0_usize..30,
    ) {
        let mut stream = vec![0x20, 2, 0, 0];
        stream.extend(packets.concat());
        stream.truncate(stream.len().saturating_sub(cut).max(4));
        let whole = told(std::iter::once(&stream[..]));
        let single = told(stream.chunks(1));
        let mut rest = &stream[..];
        let mut sizes = sizes.iter().cycle();
        let mixed = told(std::iter::from_fn(|| {
            let size = (*sizes.next()?).min(rest.len());
            let (portion, left) = rest.split_at(size);
            rest = left;
            (size > 0).then_some(portion)
        }));
        prop_assert_eq!(&whole, &single);
        prop_assert_eq!(&whole, &mixed);
    }

    /// Ids are never 0 and never taken twice, in whatever order messages are acknowledged, and across the end of
    /// the numbers; what is not acknowledged is still there.
    #[test]
    fn packet_ids_are_free_when_given(
        start in prop_oneof![Just(0_u32), 65_500_u32..65_535],
        steps in vec((any::<bool>(), any::<prop::sample::Index>()), 1..120),
    ) {
        const LIMIT: usize = 40;
        let mut engine = engine(LIMIT);
        engine.receive(&[0x20, 2, 0, 0]);
        prop_assert_eq!(engine.next_event(0), Ok(Some(Event::Connected { session_present: false })));
        for _ in 0..start {
            engine.take_pkid();
        }
        let message = Message { topic: "/t", payload: b"x", qos1: true, retain: false, counted: true };
        let mut waiting: Vec<u16> = Vec::new();
        for (send, index) in steps {
            if send {
                match engine.publish(0, &message) {
                    Ok(pkid) => {
                        prop_assert!(pkid != 0 && !waiting.contains(&pkid));
                        waiting.push(pkid);
                    }
                    Err(_) => prop_assert_eq!(waiting.len(), LIMIT),
                }
            } else if !waiting.is_empty() {
                let pkid = waiting.swap_remove(index.index(waiting.len()));
                engine.receive(&packet(0x40, &pkid.to_be_bytes()));
                prop_assert_eq!(engine.next_event(0), Ok(Some(Event::Published(pkid))));
                // A second acknowledgement is no news.
                engine.receive(&packet(0x40, &pkid.to_be_bytes()));
                prop_assert_eq!(engine.next_event(0), Ok(None));
            }
            prop_assert_eq!(engine.inflight(), waiting.len());
        }
        prop_assert_eq!(waiting.iter().collect::<HashSet<_>>().len(), waiting.len());
    }
}

// ---- topics ------------------------------------------------------------------------------------

fn levels(wild: bool) -> impl Strategy<Value = Vec<String>> {
    let level = prop_oneof![4 => "[ab]{0,2}", 1 => Just("+".to_owned())];
    vec(level, 1..6).prop_map(move |levels| {
        levels
            .into_iter()
            .map(|level| if wild { level } else { level.replace('+', "c") })
            .collect()
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn matching_is_that_of_the_standard(filter in levels(true), name in levels(false), hash in any::<bool>()) {
        let mut filter = format!("/{}", filter.join("/"));
        if hash {
            filter.push_str("/#");
        }
        let name = format!("/{}", name.join("/"));
        prop_assert_eq!(
            topic::matches(filter.as_bytes(), name.as_bytes()),
            reference::matches(filter.as_bytes(), name.as_bytes()),
            "{} {}", filter, name
        );
    }

    /// A name matches itself, itself with any level wild, and every parent with `#`.
    #[test]
    fn a_name_matches_what_was_made_from_it(name in levels(false), wild in any::<prop::sample::Index>()) {
        let whole = format!("/{}", name.join("/"));
        prop_assert!(topic::matches(whole.as_bytes(), whole.as_bytes()));
        let mut filter = name.clone();
        let at = wild.index(name.len());
        filter[at] = "+".to_owned();
        let wild = format!("/{}", filter.join("/"));
        prop_assert!(topic::matches(wild.as_bytes(), whole.as_bytes()));
        let parent = format!("/{}", name[..at].join("/"));
        let below = if at == 0 { "/#".to_owned() } else { format!("{parent}/#") };
        prop_assert!(topic::matches(below.as_bytes(), whole.as_bytes()));
        // A level more is another name.
        let longer = format!("{whole}/x");
        prop_assert!(!topic::matches(whole.as_bytes(), longer.as_bytes()));
    }

    /// Every name that may be published to may be subscribed to as it is.
    #[test]
    fn names_are_filters(name in "[ -~]{0,140}") {
        if topic::check_name(name.as_bytes()).is_ok() {
            prop_assert_eq!(topic::check_filter(name.as_bytes()), Ok(()));
            prop_assert!(!name.contains(['+', '#']));
        }
    }
}

// ---- signatures --------------------------------------------------------------------------------

proptest! {
    #![proptest_config(config())]

    /// The order in which parameters are given does not show, and nothing stands between them.
    #[test]
    fn signed_text_is_sorted(parameters in hash_map("[a-zA-Z]{1,8}", vec(any::<u8>(), 0..20), 0..8), turn in 0_usize..8) {
        let mut given: Vec<(&str, &[u8])> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let sorted: BTreeMap<_, _> = given.iter().copied().collect();
        let expected: Vec<u8> =
            sorted.iter().flat_map(|(name, value)| [name.as_bytes(), value].concat()).collect();
        let by = turn.min(given.len());
        given.rotate_left(by);
        prop_assert_eq!(&*sign_content(&given), &expected);
    }

    /// Every byte of what is signed, and of the secret, shows in the password.
    #[test]
    fn every_change_changes_the_password(
        secret in "[a-z0-9]{1,64}", key in "[a-zA-Z0-9]{1,20}", name in "[a-zA-Z0-9]{1,32}",
        at in any::<prop::sample::Index>(),
    ) {
        for method in [SignMethod::HmacMd5, SignMethod::HmacSha1, SignMethod::HmacSha256] {
            let password = |secret: &str, name: &str| {
                connect_password(method, secret.as_bytes(), key.as_bytes(), name.as_bytes(), Some(b"id"), None).to_string()
            };
            let changed = |text: &str| {
                let mut bytes = text.as_bytes().to_vec();
                let at = at.index(bytes.len());
                bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
                String::from_utf8(bytes).expect("ASCII")
            };
            let whole = password(&secret, &name);
            prop_assert!(whole.bytes().all(|byte| byte.is_ascii_hexdigit()));
            prop_assert_eq!(&whole, &password(&secret, &name));
            prop_assert_ne!(&whole, &password(&changed(&secret), &name));
            prop_assert_ne!(&whole, &password(&secret, &changed(&name)));
        }
    }
}

// ---- JSON slices -------------------------------------------------------------------------------

unsafe extern "C" {
    fn lite_cjson_parse(src: *const c_char, len: c_int, lite: *mut lite_cjson_t) -> c_int;
    fn lite_cjson_object_item(
        lite: *mut lite_cjson_t,
        key: *const c_char,
        key_len: c_int,
        out: *mut lite_cjson_t,
    ) -> c_int;
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_filter_map("JSON has no such number", |number| {
            serde_json::Number::from_f64(number).map(Value::Number)
        }),
        ".{0,10}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            hash_map("[a-z]{1,6}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn blank() -> lite_cjson_t {
    // SAFETY: NULL and numbers.
    unsafe { std::mem::zeroed() }
}

/// The text of what `key` leads to from the object at the start of `text`.
fn at_key(text: &str, key: &str) -> Option<String> {
    let (mut whole, mut found) = (blank(), blank());
    let len = |text: &str| c_int::try_from(text.len()).expect("short");
    // SAFETY: readable bytes of these lengths, writable results, and `text` outlives both.
    unsafe {
        if lite_cjson_parse(text.as_ptr().cast(), len(text), &mut whole) != 0
            || lite_cjson_object_item(&mut whole, key.as_ptr().cast(), len(key), &mut found) != 0
        {
            return None;
        }
    }
    let from = found.value as usize - text.as_ptr() as usize;
    let slice = text.get(from..from + usize::try_from(found.value_length).ok()?)?;
    // A string comes without its quotation marks.
    Some(if found.r#type == 16 {
        format!("\"{slice}\"")
    } else {
        slice.to_owned()
    })
}

proptest! {
    #![proptest_config(config())]

    /// A value is found by its path, however the text is laid out, and is the text of that value.
    #[test]
    fn values_are_found_by_path(
        inner in json(), others in hash_map("[a-m]{1,4}", json(), 0..4), pretty in any::<bool>(), index in 0_usize..3,
    ) {
        let mut list = vec![Value::Null; index];
        list.push(inner.clone());
        let mut members: HashMap<String, Value> = others;
        members.insert("zlist".to_owned(), Value::from(list));
        members.insert("zone".to_owned(), serde_json::json!({"zvalue": inner}));
        let value = Value::Object(members.into_iter().collect());
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }
            .expect("a value");
        // The last digit of a number can change when it is read.
        let written: Value = serde_json::from_str(&inner.to_string()).expect("JSON");
        for key in [format!("zlist[{index}]"), "zone.zvalue".to_owned()] {
            let found = at_key(&text, &key).expect("is there");
            let again: Value = serde_json::from_str(&found).expect("JSON");
            prop_assert_eq!(&again, &written, "{}", key);
        }
        prop_assert_eq!(at_key(&text, &format!("zlist[{}]", index + 1)), None);
        prop_assert_eq!(at_key(&text, "zone.zother"), None);
    }
}

// ---- clock -------------------------------------------------------------------------------------

proptest! {
    #![proptest_config(config())]

    /// Whatever a port's clock says, time does not go back.
    #[test]
    fn time_does_not_go_back(answers in vec(prop_oneof![
        // Beyond these two million years nobody counts.
        any::<u64>().prop_map(|answer| answer >> 8),
        any::<u32>().prop_map(u64::from),
        0_u64..5_000,
        (1_u64 << 32) - 2_000..(1 << 32) + 2_000,
    ], 1..40)) {
        let mut clock = Extender::new();
        let mut last = 0;
        for answer in answers {
            let now = clock.extend(answer);
            prop_assert!(now >= last, "{} after {}", now, last);
            last = now;
        }
    }

    /// A tick of 32 bits that is read often enough is a clock of 64 bits.
    #[test]
    fn a_narrow_tick_counts_on(start in any::<u32>(), steps in vec(0_u64..(1 << 30), 1..60)) {
        let mut clock = Extender::new();
        let mut real = u64::from(start);
        let first = clock.extend(real);
        let mut passed = 0;
        for step in steps {
            real += step;
            passed += step;
            prop_assert_eq!(clock.extend(real % (1 << 32)) - first, passed);
        }
    }

    /// A clock of 64 bits that behaves is left alone.
    #[test]
    fn a_wide_tick_stays(start in any::<u32>(), steps in vec(0_u64..(1 << 40), 0..60)) {
        let mut clock = Extender::new();
        let mut real = u64::from(start);
        prop_assert_eq!(clock.extend(real), real);
        for step in steps {
            real += step;
            prop_assert_eq!(clock.extend(real), real);
        }
    }
}

// ---- host names --------------------------------------------------------------------------------

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_server_name_reads_the_same_again(host in prop_oneof![
        "[a-zA-Z0-9.-]{0,70}", "[0-9.]{1,16}", r"\[?[0-9a-f:.]{2,40}\]?", ".{0,20}",
    ]) {
        if let Ok(name) = ServerName::parse(&host) {
            let socket = name.for_socket();
            let again = ServerName::parse(socket.to_str().expect("ASCII"));
            prop_assert_eq!(again.as_ref(), Ok(&name));
            prop_assert_eq!(name.dns().is_some(), name.ip().is_none());
        }
    }
}

// ---- key-value store ---------------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..config() })]

    /// The store is a map, also when it is opened anew between any two calls.
    #[test]
    fn the_store_is_a_map(
        calls in vec((0_u8..3, "[a-c]{1,2}", vec(any::<u8>(), 0..40)), 1..25),
    ) {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("properties-kv");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (call, key, value) in calls {
            let store = Store::new(folder.join("kv"));
            match call {
                0 => {
                    store.set(key.as_bytes(), &value, false).expect("room");
                    model.insert(key, value);
                }
                1 => match store.get(key.as_bytes()) {
                    Ok(found) => prop_assert_eq!(Some(found.as_slice()), model.get(&key).map(Vec::as_slice)),
                    Err(KvError::Missing) => prop_assert!(!model.contains_key(&key)),
                    Err(error) => prop_assert!(false, "{}", error),
                },
                _ => prop_assert_eq!(store.del(key.as_bytes()).is_ok(), model.remove(&key).is_some()),
            }
        }
    }
}
