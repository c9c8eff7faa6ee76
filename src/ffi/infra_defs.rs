//! The host-name tables of `infra_defs.h`.

use std::ffi::{CStr, c_char};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use super::cstr;
use super::infra_types::HOST_NAME_LEN;

/// Number of regions, the custom one included.
pub const REGIONS: usize = 6;
/// The region whose host name the application sets.
pub const REGION_CUSTOM: u32 = 5;

/// A table of C strings by region, laid out as `const char *[6]`. The application may replace entries
/// before it constructs a client, so they are atomic here.
#[repr(transparent)]
pub struct DomainTable([AtomicPtr<c_char>; REGIONS]);

const fn entry(text: &'static CStr) -> AtomicPtr<c_char> {
    AtomicPtr::new(text.as_ptr().cast_mut())
}

/// MQTT host names by region, without the product key in front (spec signing.md §1).
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)] // C name.
pub static g_infra_mqtt_domain: DomainTable = DomainTable([
    entry(c"iot-as-mqtt.cn-shanghai.aliyuncs.com"),
    entry(c"iot-as-mqtt.ap-southeast-1.aliyuncs.com"),
    entry(c"iot-as-mqtt.ap-northeast-1.aliyuncs.com"),
    entry(c"iot-as-mqtt.us-west-1.aliyuncs.com"),
    entry(c"iot-as-mqtt.eu-central-1.aliyuncs.com"),
    AtomicPtr::new(ptr::null_mut()),
]);

/// HTTP host names by region (spec signing.md §1).
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)] // C name.
pub static g_infra_http_domain: DomainTable = DomainTable([
    entry(c"iot-auth.cn-shanghai.aliyuncs.com"),
    entry(c"iot-auth.ap-southeast-1.aliyuncs.com"),
    entry(c"iot-auth.ap-northeast-1.aliyuncs.com"),
    entry(c"iot-auth.us-west-1.aliyuncs.com"),
    entry(c"iot-auth.eu-central-1.aliyuncs.com"),
    AtomicPtr::new(ptr::null_mut()),
]);

/// A custom host name where C can see it through the table.
pub(super) struct CustomName([AtomicU8; HOST_NAME_LEN + 1]);

impl CustomName {
    pub(super) const fn new() -> Self {
        CustomName([const { AtomicU8::new(0) }; HOST_NAME_LEN + 1])
    }

    /// Writes `name` (at most 253 bytes, checked by the caller) and makes it the custom entry of
    /// `table`; `None` empties the entry.
    pub(super) fn publish(&'static self, name: Option<&str>, table: &DomainTable) {
        let custom = &table.0[REGION_CUSTOM as usize];
        let Some(name) = name else {
            custom.store(ptr::null_mut(), Ordering::Release);
            return;
        };
        for (at, cell) in self.0.iter().enumerate() {
            cell.store(
                name.as_bytes().get(at).copied().unwrap_or(0),
                Ordering::Relaxed,
            );
        }
        custom.store(self.address(), Ordering::Release);
    }

    fn address(&self) -> *mut c_char {
        self.0[0].as_ptr().cast()
    }
}

/// The entry of `table` for `region`, with `custom` standing for our own custom entry.
///
/// `None` when the region is unknown, the entry is NULL or empty, longer than 253 bytes or not UTF-8.
pub(super) fn look_up(
    table: &DomainTable,
    own: &CustomName,
    custom: Option<&str>,
    region: u32,
) -> Option<String> {
    let entry = table
        .0
        .get(usize::try_from(region).ok()?)?
        .load(Ordering::Acquire);
    let name = if entry == own.address() {
        custom?.to_owned()
    } else {
        // SAFETY: entries other than our own buffer are our literals or strings of the application,
        // which infra_defs.h asks to be terminated and to stay.
        unsafe { cstr::bounded_str(entry, HOST_NAME_LEN) }?.to_owned()
    };
    (!name.is_empty()).then_some(name)
}
