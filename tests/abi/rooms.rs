//! What the other rooms of the library use of the C boundary: firing events, reading settings, handing
//! blocks over. One test each for the events and the settings, since both are process-wide.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Mutex;

use iotx::ffi::infra_compat::*;
use iotx::ffi::infra_defs::REGION_CUSTOM;
use iotx::ffi::registry::{self, StateSlot};
use iotx::ffi::{ioctl, memory};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note(text: String) {
    SEEN.lock().expect("not poisoned").push(text);
}

fn taken() -> Vec<String> {
    std::mem::take(&mut *SEEN.lock().expect("not poisoned"))
}

unsafe fn text(text: *const c_char) -> String {
    // SAFETY: the library hands terminated strings to callbacks.
    unsafe { CStr::from_ptr(text) }
        .to_str()
        .expect("UTF-8")
        .to_owned()
}

unsafe extern "C" fn on_connect() -> c_int {
    note("connected".into());
    0
}

unsafe extern "C" fn on_identity(payload: *const c_char) -> c_int {
    // SAFETY: as in `text`.
    note(format!("identity {}", unsafe { text(payload) }));
    // A callback may register and read settings: nothing is locked.
    // SAFETY: NULL clears a slot.
    unsafe { iotx_register_for_ITE_IDENTITY_RESPONSE(None) };
    let _ = ioctl::store();
    0
}

unsafe extern "C" fn on_secret(secret: *const c_char) -> c_int {
    // SAFETY: as in `text`.
    note(format!("secret {}", unsafe { text(secret) }));
    0
}

unsafe extern "C" fn on_state(code: c_int, message: *const c_char) -> c_int {
    // SAFETY: as in `text`.
    note(format!("{code} {}", unsafe { text(message) }));
    0
}

#[test]
fn rooms_fire_events() {
    registry::mqtt_connect_succ();
    registry::identity_response(c"nobody");
    registry::dynreg_device_secret(c"nobody");
    assert!(!registry::state_event(StateSlot::MqttComm, -1, "nobody"));
    assert!(taken().is_empty());

    // SAFETY: functions of the declared types that live as long as the process.
    unsafe {
        iotx_register_for_ITE_MQTT_CONNECT_SUCC(Some(on_connect));
        iotx_register_for_ITE_IDENTITY_RESPONSE(Some(on_identity));
        iotx_register_for_ITE_DYNREG_DEVICE_SECRET(Some(on_secret));
        iotx_register_for_ITE_STATE_MQTT_COMM(Some(on_state));
    }
    registry::mqtt_connect_succ();
    registry::identity_response(c"{}");
    registry::identity_response(c"cleared by the callback");
    registry::dynreg_device_secret(c"s");
    assert_eq!(taken(), ["connected", "identity {}", "secret s"]);

    assert!(registry::state_event(
        StateSlot::MqttComm,
        -0x0327,
        "%n%s %d"
    ));
    assert!(!registry::state_event(
        StateSlot::SysDepend,
        -1,
        "other slot"
    ));
    assert!(registry::state_event(
        StateSlot::MqttComm,
        0,
        "before\0after"
    ));
    assert!(registry::state_event(
        StateSlot::MqttComm,
        0,
        &"x".repeat(63)
    ));
    // The 63rd byte would be half a character.
    assert!(registry::state_event(
        StateSlot::MqttComm,
        0,
        &format!("{}\u{e9}", "x".repeat(62))
    ));
    assert!(registry::state_event(
        StateSlot::MqttComm,
        0,
        &"y".repeat(1000)
    ));
    assert_eq!(
        taken(),
        [
            "-807 %n%s %d".to_owned(),
            "0 before".to_owned(),
            format!("0 {}", "x".repeat(63)),
            format!("0 {}", "x".repeat(62)),
            format!("0 {}", "y".repeat(63)),
        ]
    );

    let slots = [
        (StateSlot::UserInput, 24),
        (StateSlot::SysDepend, 25),
        (StateSlot::MqttComm, 26),
        (StateSlot::WifiProv, 27),
        (StateSlot::CoapLocal, 28),
        (StateSlot::HttpComm, 29),
        (StateSlot::Ota, 30),
        (StateSlot::DevBind, 31),
        (StateSlot::DevModel, 32),
    ];
    for (slot, number) in slots {
        assert_eq!(slot.event() as usize, number);
    }
}

fn control(option: c_int, text: &CStr) -> c_int {
    // SAFETY: the options used here take a terminated string and do not write to it.
    unsafe { IOT_Ioctl(option, text.as_ptr().cast_mut().cast::<c_void>()) }
}

#[test]
fn rooms_read_and_complete_the_settings() {
    let fresh = ioctl::store();
    assert_eq!(
        (fresh.region, fresh.http_region, fresh.mqtt_port),
        (0, 0, None)
    );
    assert_eq!(
        fresh.mqtt_host(0).as_deref(),
        Some("iot-as-mqtt.cn-shanghai.aliyuncs.com")
    );
    assert_eq!(
        fresh.http_host(4).as_deref(),
        Some("iot-auth.eu-central-1.aliyuncs.com")
    );
    assert_eq!(fresh.mqtt_host(REGION_CUSTOM), None);
    assert_eq!(fresh.mqtt_host(6), None);
    assert_eq!(fresh.mqtt_host(u32::MAX), None);

    assert_eq!(control(2, c"mqtt.example.com"), 0);
    assert_eq!(control(3, c"http.example.com"), 0);
    assert_eq!(control(22, c"product secret"), 0);
    assert_eq!(control(28, c"module"), 0);
    let mut port = 8883_u16;
    // SAFETY: the option takes a uint16_t.
    assert_eq!(unsafe { IOT_Ioctl(14, (&raw mut port).cast()) }, 0);
    let set = ioctl::store();
    assert_eq!(
        (set.region, set.http_region, set.mqtt_port),
        (5, 5, Some(8883))
    );
    assert_eq!(set.mqtt_domain.as_deref(), Some("mqtt.example.com"));
    assert_eq!(set.mqtt_host(5).as_deref(), Some("mqtt.example.com"));
    assert_eq!(set.http_host(5).as_deref(), Some("http.example.com"));
    assert_eq!(set.module.as_str(), "module");
    assert_eq!(set.product_secret.as_str(), "product secret");

    // A copy keeps what it had.
    assert_eq!(control(2, c"other.example.com"), 0);
    assert_eq!(set.mqtt_host(5).as_deref(), Some("mqtt.example.com"));

    assert_eq!(ioctl::set_identity("pk", "dn"), Ok(()));
    assert_eq!(
        ioctl::set_identity(&"p".repeat(21), "new"),
        Err(ioctl::TooLong)
    );
    assert_eq!(
        ioctl::set_identity("new", &"d".repeat(33)),
        Err(ioctl::TooLong)
    );
    assert_eq!(ioctl::set_device_secret(&"s".repeat(64)), Ok(()));
    assert_eq!(
        ioctl::set_device_secret(&"s".repeat(65)),
        Err(ioctl::TooLong)
    );
    let known = ioctl::store();
    assert_eq!(
        (known.product_key.as_str(), known.device_name.as_str()),
        ("pk", "dn")
    );
    assert_eq!(known.device_secret.len(), 64);
    assert!(fresh.product_key.is_empty());
}

#[test]
fn blocks_go_to_the_application_and_come_back() {
    let block = memory::hand_over(b"text");
    assert!(!block.is_null());
    // SAFETY: a terminated string, see hand_over.
    assert_eq!(unsafe { text(block) }, "text");
    // SAFETY: the block is live and nobody else uses it.
    unsafe {
        memory::take_back(block);
        memory::take_back(std::ptr::null_mut());
    }
}
