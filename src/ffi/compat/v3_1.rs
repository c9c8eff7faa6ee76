//! SDK 3.1.0: layouts and options are those of 3.2.0 without its additions; events have other
//! numbers.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::super::barrier::guard;
use super::super::registry::Event;
use super::{callback_of, event_of};

/// `iotx_ioctl_event_t` of 3.1.0, in order.
pub(super) const EVENTS: [Event; 31] = [
    Event::AwssStatus,
    Event::ConnectSucc,
    Event::ConnectFail,
    Event::Disconnected,
    Event::RawdataArrived,
    Event::ServiceRequest,
    Event::ServiceRequestExt,
    Event::PropertySet,
    Event::PropertyGet,
    Event::ReportReply,
    Event::TriggerEventReply,
    Event::TimestampReply,
    Event::TopolistReply,
    Event::PermitJoin,
    Event::InitializeCompleted,
    Event::Fota,
    Event::Cota,
    Event::MqttConnectSucc,
    Event::CloudError,
    Event::DynregDeviceSecret,
    Event::IdentityResponse,
    Event::StateEverything,
    Event::StateUserInput,
    Event::StateSysDepend,
    Event::StateMqttComm,
    Event::StateWifiProv,
    Event::StateCoapLocal,
    Event::StateHttpComm,
    Event::StateOta,
    Event::StateDevBind,
    Event::StateDevModel,
];

/// `iotx_event_callback` with the numbers of 3.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_v31_event_callback(evt: c_int) -> *mut c_void {
    guard(ptr::null_mut(), || callback_of(&EVENTS, evt))
}

/// The current number of an event given by its number in 3.1.0, -1 for none. For the variadic
/// `iotx_v31_state_event` in the shim; not part of the public interface.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_v31_event_number(evt: c_int) -> c_int {
    event_of(&EVENTS, evt).map_or(-1, |event| event as c_int)
}
