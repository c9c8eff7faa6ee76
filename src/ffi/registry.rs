//! The callback slots behind `IOT_RegisterCallback`, and the events the library fires.
//!
//! One atomic slot per event: registering, clearing and firing need no lock, so a callback may
//! itself register callbacks (spec events-and-ioctl.md §1). Callbacks run on the thread that causes
//! the event; their results are ignored.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The registrable events, numbered as in a build without DEVICE_MODEL_SHADOW.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
#[allow(missing_docs)] // The names are those of the ITE_* list; nothing to add per line.
pub enum Event {
    AwssStatus = 0,
    ConnectSucc,
    ConnectFail,
    Disconnected,
    RawdataArrived,
    ServiceRequest,
    ServiceRequestExt,
    PropertySet,
    PropertyGet,
    ReportReply,
    TriggerEventReply,
    TimestampReply,
    TopolistReply,
    PermitJoin,
    InitializeCompleted,
    Fota,
    FotaModule,
    Cota,
    MqttConnectSucc,
    CloudError,
    DynregDeviceSecret,
    IdentityResponse,
    BindEvent,
    StateEverything,
    StateUserInput,
    StateSysDepend,
    StateMqttComm,
    StateWifiProv,
    StateCoapLocal,
    StateHttpComm,
    StateOta,
    StateDevBind,
    StateDevModel,
    /// Outside of the public numbering: reachable by its register function only.
    PropertyDesiredGetReply,
    /// Of SDK 2.3.0 only.
    EventNotify,
    /// Of SDK 2.3.0 only.
    StateSubDevice,
}

/// Number of all events.
pub(super) const EVENTS: usize = Event::StateSubDevice as usize + 1;

/// Number of events with a public number.
const NUMBERED: usize = Event::PropertyDesiredGetReply as usize;

/// The slots of the state events.
const STATE_SLOTS: std::ops::RangeInclusive<usize> =
    Event::StateEverything as usize..=Event::StateDevModel as usize;

/// Longest text of a state event in bytes, without the NUL.
pub const STATE_TEXT_LEN: usize = 63;

/// The state events the library fires: which part of it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateSlot {
    /// Arguments and settings given by the application.
    UserInput,
    /// The system below: memory, mutexes, key-value store.
    SysDepend,
    /// The MQTT client.
    MqttComm,
    /// Wi-Fi provisioning.
    WifiProv,
    /// Local CoAP.
    CoapLocal,
    /// HTTP.
    HttpComm,
    /// Firmware update.
    Ota,
    /// Device binding.
    DevBind,
    /// The device model.
    DevModel,
}

impl StateSlot {
    /// The event of this slot.
    pub fn event(self) -> Event {
        match self {
            StateSlot::UserInput => Event::StateUserInput,
            StateSlot::SysDepend => Event::StateSysDepend,
            StateSlot::MqttComm => Event::StateMqttComm,
            StateSlot::WifiProv => Event::StateWifiProv,
            StateSlot::CoapLocal => Event::StateCoapLocal,
            StateSlot::HttpComm => Event::StateHttpComm,
            StateSlot::Ota => Event::StateOta,
            StateSlot::DevBind => Event::StateDevBind,
            StateSlot::DevModel => Event::StateDevModel,
        }
    }
}

static SLOTS: [AtomicPtr<c_void>; EVENTS] = [const { AtomicPtr::new(ptr::null_mut()) }; EVENTS];

type NoArgument = unsafe extern "C" fn() -> c_int;
type OneString = unsafe extern "C" fn(*const c_char) -> c_int;
type StateHandler = unsafe extern "C" fn(c_int, *const c_char) -> c_int;

/// Stores `callback` (a C function of the type of `event`, or NULL) in the slot of `event`.
///
/// Only the typed `iotx_register_for_*` functions call this, which is what firing relies on.
pub(super) fn register(event: Event, callback: *mut c_void) {
    if event == Event::StateEverything {
        let sub_device = &SLOTS[Event::StateSubDevice as usize];
        for slot in SLOTS[STATE_SLOTS].iter().chain([sub_device]) {
            slot.store(callback, Ordering::Release);
        }
    } else {
        SLOTS[event as usize].store(callback, Ordering::Release);
    }
}

/// The function in the slot of the event number `event`; NULL when empty or out of range.
pub(super) fn callback(event: c_int) -> *mut c_void {
    match usize::try_from(event) {
        Ok(number) if number < NUMBERED => SLOTS[number].load(Ordering::Acquire),
        _ => ptr::null_mut(),
    }
}

/// The function in the slot of `event`, or NULL.
pub(super) fn slot(event: Event) -> *mut c_void {
    SLOTS[event as usize].load(Ordering::Acquire)
}

/// Reports `code` with `text` to the handler of the state event `event` and to that of
/// ITE_STATE_EVERYTHING. False if `event` is no state event or has no handler.
pub(super) fn state_event_of(event: Event, code: i32, text: &CStr) -> bool {
    let is_state = STATE_SLOTS.contains(&(event as usize)) || event == Event::StateSubDevice;
    is_state && deliver(event as usize, code, text)
}

/// Number of slots that hold a function.
pub(super) fn registered() -> usize {
    let taken = |slot: &&AtomicPtr<c_void>| !slot.load(Ordering::Relaxed).is_null();
    SLOTS.iter().filter(taken).count()
}

/// Whether the state events of `slot` have a handler: texts need not be made for nobody.
pub fn is_wanted(slot: StateSlot) -> bool {
    !SLOTS[slot.event() as usize]
        .load(Ordering::Acquire)
        .is_null()
}

/// Reports `code` with `text` to the handler of `slot`, then to that of ITE_STATE_EVERYTHING if it
/// is another function. Returns whether a handler was called.
///
/// The text is cut to 63 bytes, at a character boundary, and at an interior NUL. It must not hold
/// secrets. Hold no lock while calling: handlers may call any function of the library.
pub fn state_event(slot: StateSlot, code: i32, text: &str) -> bool {
    let event = slot.event() as usize;
    if SLOTS[event].load(Ordering::Acquire).is_null() {
        return false;
    }
    let text = &text[..text.floor_char_boundary(STATE_TEXT_LEN)];
    let mut buffer = [0_u8; STATE_TEXT_LEN + 1];
    buffer[..text.len()].copy_from_slice(text.as_bytes());
    match CStr::from_bytes_until_nul(&buffer) {
        Ok(text) => deliver(event, code, text),
        // The last byte of the buffer is never written.
        Err(_) => false,
    }
}

/// Fires ITE_IDENTITY_RESPONSE with the payload of the cloud.
pub fn identity_response(payload: &CStr) {
    fire_string(Event::IdentityResponse, payload);
}

/// Fires ITE_DYNREG_DEVICE_SECRET with the secret just received.
pub fn dynreg_device_secret(secret: &CStr) {
    fire_string(Event::DynregDeviceSecret, secret);
}

/// Fires ITE_MQTT_CONNECT_SUCC.
pub fn mqtt_connect_succ() {
    let callback = SLOTS[Event::MqttConnectSucc as usize].load(Ordering::Acquire);
    if !callback.is_null() {
        // SAFETY: this slot is written only by iotx_register_for_ITE_MQTT_CONNECT_SUCC, whose
        // parameter has this type.
        unsafe { mem::transmute::<*mut c_void, NoArgument>(callback)() };
    }
}

/// Fires one of the events whose callback takes a single string.
fn fire_string(event: Event, text: &CStr) {
    debug_assert!(matches!(
        event,
        Event::IdentityResponse | Event::DynregDeviceSecret
    ));
    let callback = SLOTS[event as usize].load(Ordering::Acquire);
    if !callback.is_null() {
        // SAFETY: the slots of these events are written only by register functions whose parameter
        // has this type; `text` outlives the call.
        unsafe { mem::transmute::<*mut c_void, OneString>(callback)(text.as_ptr()) };
    }
}

/// Calls the handler in the state slot `event`, then the one for everything.
fn deliver(event: usize, code: i32, text: &CStr) -> bool {
    let call = |handler: *mut c_void| {
        // SAFETY: the state slots are written only by register functions whose parameter is a
        // state_handler_t; `text` outlives the call.
        unsafe { mem::transmute::<*mut c_void, StateHandler>(handler)(code, text.as_ptr()) };
    };
    let own = SLOTS[event].load(Ordering::Acquire);
    if own.is_null() {
        return false;
    }
    call(own);
    let everything = SLOTS[Event::StateEverything as usize].load(Ordering::Acquire);
    if !everything.is_null() && everything != own {
        call(everything);
    }
    true
}

/// The slot of a state event given by its public number.
fn state_slot(event: c_int) -> Option<usize> {
    usize::try_from(event)
        .ok()
        .filter(|number| STATE_SLOTS.contains(number))
}

/// Whether the state event number `event` has a handler. For the variadic `iotx_state_event` in the
/// shim, which formats nothing for nobody; not part of the public interface.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_state_wanted(event: c_int) -> c_int {
    let wanted = state_slot(event).is_some() && !callback(event).is_null();
    c_int::from(wanted)
}

/// Hands `text` to the handlers of the state event number `event`. For the variadic
/// `iotx_state_event` in the shim; not part of the public interface. Returns 0, or -1 when `event`
/// is no state event or has no handler.
///
/// # Safety
/// `text` is NULL (taken as "") or a terminated string that stays unchanged during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_state_deliver(
    event: c_int,
    code: c_int,
    text: *const c_char,
) -> c_int {
    super::barrier::guard(-1, || {
        let text = if text.is_null() {
            c""
        } else {
            // SAFETY: not NULL, and the caller promises a terminated, unchanging string.
            unsafe { CStr::from_ptr(text) }
        };
        match state_slot(event) {
            Some(slot) if deliver(slot, code, text) => 0,
            _ => -1,
        }
    })
}
