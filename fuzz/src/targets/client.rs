//! The whole client through its C functions, on a scripted network and clock: bytes of the server, calls of
//! the application and calls from inside handlers in any order, Destroy included.

use std::ffi::{CString, c_int, c_void};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use iotx::ffi::mqtt_api::{
    IOT_MQTT_CheckStateNormal, IOT_MQTT_Construct, IOT_MQTT_Destroy, IOT_MQTT_Publish_Simple,
    IOT_MQTT_Subscribe, IOT_MQTT_Subscribe_Sync, IOT_MQTT_Unsubscribe, IOT_MQTT_Yield,
};
use iotx::ffi::mqtt_types::{
    IOTX_MQTT_EVENT_PUBLISH_RECEIVED, iotx_mqtt_event_msg_t, iotx_mqtt_param_t,
    iotx_mqtt_topic_info_t,
};

use super::super::input::Input;
use super::super::port::{self, Behind};

unsafe extern "C" {
    fn IOT_Ioctl(option: c_int, data: *mut c_void) -> c_int;
}

/// The client under test, and how many events it has told of.
static HANDLE: AtomicUsize = AtomicUsize::new(0);
static EVENTS: AtomicU32 = AtomicU32::new(0);

/// What a handler does, by its context: nothing; or one of these calls.
const ACTIONS: u8 = 9;

pub fn run(data: &[u8]) {
    let _port = port::use_alone();
    let mut input = Input::new(data);
    let flags = input.byte();
    let host = match flags & 3 {
        0 | 1 => c"mqtt://fuzz.example.com".to_owned(),
        2 => terminated(&[b"mqtt://", input.block()].concat()),
        _ => terminated(input.block()),
    };
    let names = flags & 4 == 0;
    for (option, text) in [(20, c"pk"), (24, c"dn"), (26, c"secret")] {
        let text = if names { text } else { c"" };
        // SAFETY: a terminated string, which the option only reads.
        unsafe { IOT_Ioctl(option, text.as_ptr() as *mut c_void) };
    }
    let greeting = match flags & 8 {
        0 => vec![0x20, 2, u8::from(flags & 16 != 0), 0],
        _ => input.block().to_vec(),
    };
    port::wire(|wire| {
        wire.reachable = flags & 32 == 0;
        wire.greeting = greeting;
        wire.window = usize::MAX;
    });
    EVENTS.store(0, Ordering::Relaxed);
    // SAFETY: NULL strings, zero numbers and no handler are a valid block.
    let mut param: iotx_mqtt_param_t = unsafe { std::mem::zeroed() };
    param.host = host.as_ptr();
    param.clean_session = flags >> 7;
    param.read_buf_size = if flags & 64 != 0 { 40 } else { 0 };
    param.handle_event.h_fp = Some(on_event);
    param.handle_event.pcontext = usize::from(input.below(ACTIONS)) as *mut c_void;
    // SAFETY: a valid block with terminated strings.
    let handle = unsafe { IOT_MQTT_Construct(&mut param) };
    HANDLE.store(handle as usize, Ordering::Relaxed);
    if !handle.is_null() {
        while !input.is_empty() {
            step(handle, &mut input);
        }
        // SAFETY: compared with the live client, whatever it is.
        unsafe { IOT_MQTT_Destroy(&mut { handle }) };
    }
    assert!(IOT_MQTT_Yield(handle, 1) < 0, "no client is left");
    assert!(port::all_closed());
}

fn terminated(bytes: &[u8]) -> CString {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    CString::new(text).expect("cut at the NUL")
}

fn topic(input: &mut Input<'_>) -> CString {
    match input.below(6) {
        0 => c"/a/b".to_owned(),
        1 => c"/a/+".to_owned(),
        2 => c"/a/#".to_owned(),
        3 => c"/a".to_owned(),
        _ => terminated(input.block()),
    }
}

fn step(handle: *mut c_void, input: &mut Input<'_>) {
    // SAFETY: handles are compared, not followed; strings are terminated, payloads as long as said; the handler
    // takes its context as a number.
    unsafe {
        match input.below(14) {
            0 | 1 => feed(input.block()),
            2 => feed(&publish(input)),
            3 => {
                let id = input.byte();
                let kind = [0x40, 0x90, 0xb0][usize::from(input.below(3))];
                match kind {
                    0x90 => feed(&[kind, 3, 0, id, [0, 1, 2, 0x80][usize::from(input.below(4))]]),
                    _ => feed(&[kind, 2, 0, id]),
                }
            }
            4 => {
                IOT_MQTT_Yield(handle, c_int::from(input.u16() % 5_000));
            }
            5 => {
                IOT_MQTT_Yield(handle, 1);
            }
            6 => {
                let (topic, payload) = (topic(input), input.block());
                let qos = c_int::from(input.below(5)) - 1;
                let (data, len) = (payload.as_ptr() as *mut c_void, payload.len() as c_int);
                IOT_MQTT_Publish_Simple(handle, topic.as_ptr(), qos, data, len);
            }
            7 => {
                let (filter, qos) = (topic(input), u32::from(input.below(5)));
                let action = usize::from(input.below(ACTIONS)) as *mut c_void;
                IOT_MQTT_Subscribe(handle, filter.as_ptr(), qos, Some(on_event), action);
            }
            8 => {
                let (filter, ms) = (topic(input), c_int::from(input.u16() % 2_000));
                let action = usize::from(input.below(ACTIONS)) as *mut c_void;
                IOT_MQTT_Subscribe_Sync(handle, filter.as_ptr(), 1, Some(on_event), action, ms);
            }
            9 => {
                let filter = topic(input);
                IOT_MQTT_Unsubscribe(handle, filter.as_ptr());
            }
            10 => {
                let behind = [Behind::Closed, Behind::Failure, Behind::Silence];
                let behind = behind[usize::from(input.below(3))];
                port::wire(|wire| wire.behind = behind);
            }
            11 => {
                let window = [0, 1, 7, usize::MAX][usize::from(input.below(4))];
                port::wire(|wire| wire.window = window);
            }
            12 => port::pass_time(u64::from(input.u16()) * 16),
            _ => {
                let reachable = input.below(2) == 0;
                port::wire(|wire| wire.reachable = reachable);
                IOT_MQTT_CheckStateNormal(handle);
            }
        }
    }
}

fn feed(bytes: &[u8]) {
    port::wire(|wire| wire.incoming.extend(bytes));
}

/// A PUBLISH of the server's, mostly a good one.
fn publish(input: &mut Input<'_>) -> Vec<u8> {
    let topic: &[u8] = match input.below(4) {
        0 => b"/ext/auth/identity/response",
        1 => b"/a",
        _ => b"/a/b",
    };
    let first = 0x30 | input.below(14);
    let payload = input.block();
    let id: &[u8] = if first & 6 != 0 { &[0x12, 0x34] } else { &[] };
    let mut body = vec![0, topic.len() as u8];
    for part in [topic, id, payload] {
        body.extend_from_slice(part);
    }
    let mut packet = vec![first];
    let mut len = body.len();
    while len > 127 {
        packet.push((len % 128) as u8 | 128);
        len /= 128;
    }
    packet.push(len as u8);
    packet.extend(body);
    packet
}

/// # Safety
/// Called by the library with its own event.
unsafe extern "C" fn on_event(
    context: *mut c_void,
    client: *mut c_void,
    message: *mut iotx_mqtt_event_msg_t,
) {
    // SAFETY: the library's promise.
    let event = unsafe { &*message };
    if event.event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED {
        // SAFETY: what this event carries.
        let info = unsafe { &*event.msg.cast::<iotx_mqtt_topic_info_t>() };
        let (topic_len, payload_len) = (usize::from(info.topic_len), info.payload_len as usize);
        // SAFETY: both are followed by a NUL and are writable while the handler runs.
        unsafe {
            let (topic, payload) = (info.ptopic as *mut u8, info.payload as *mut u8);
            if *topic.add(topic_len) != 0 || *payload.add(payload_len) != 0 {
                eprintln!("topic or payload without its NUL");
                std::process::abort();
            }
            topic.write_bytes(b't', topic_len + 1);
            payload.write_bytes(b'p', payload_len + 1);
        }
    }
    // A handler that answers each event with something that causes one would go on for ever.
    if EVENTS.fetch_add(1, Ordering::Relaxed) > 200 {
        return;
    }
    let mut data = *b"from inside";
    let handle = HANDLE.load(Ordering::Relaxed) as *mut c_void;
    let data: *mut c_void = data.as_mut_ptr().cast();
    // SAFETY: handles are compared, not followed; strings are terminated and the payload has 11 bytes.
    unsafe {
        match context as usize {
            1 => drop(IOT_MQTT_Publish_Simple(
                client,
                c"/a/b".as_ptr(),
                1,
                data,
                11,
            )),
            2 => drop(IOT_MQTT_Unsubscribe(client, c"/a/#".as_ptr())),
            3 => drop(IOT_MQTT_Yield(client, 100)),
            4 => drop(IOT_MQTT_Destroy(&mut { client })),
            5 => drop(IOT_MQTT_Subscribe_Sync(
                client,
                c"/a/+".as_ptr(),
                1,
                Some(on_event),
                std::ptr::null_mut(),
                100,
            )),
            6 => drop(IOT_MQTT_Subscribe(
                client,
                c"/a/b".as_ptr(),
                1,
                Some(on_event),
                2_usize as *mut c_void,
            )),
            7 => drop(IOT_MQTT_CheckStateNormal(handle)),
            8 => {
                port::wire(|wire| wire.behind = Behind::Closed);
                IOT_MQTT_Publish_Simple(client, c"/a/b".as_ptr(), 0, data, 11);
            }
            _ => {}
        }
    }
}
