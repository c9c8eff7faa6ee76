//! Which topics a device may use: those that carry its own product key and device name.

use crate::registry::DeviceId;

/// Why the device may not publish to `topic`, or `None` if it may.
pub fn publish_problem(device: &DeviceId, topic: &str) -> Option<&'static str> {
    if own(device, topic) {
        None
    } else {
        Some("not a topic of this device")
    }
}

/// Why the device may not subscribe to `filter`, or `None` if it may.
pub fn subscribe_problem(device: &DeviceId, filter: &str) -> Option<&'static str> {
    let levels: Vec<&str> = filter.split('/').collect();
    match levels[..] {
        // Broadcasts of the own product.
        ["", "broadcast", product_key, _, ..] if product_key == device.product_key => None,
        _ if own(device, filter) => None,
        _ => Some("not a topic of this device"),
    }
}

/// A wildcard is never equal to a name, so the same rule serves for names and filters.
fn own(device: &DeviceId, topic: &str) -> bool {
    let is = |product_key: &str, device_name: &str| {
        product_key == device.product_key && device_name == device.device_name
    };
    let levels: Vec<&str> = topic.split('/').collect();
    match levels[..] {
        ["", "sys", product_key, device_name, _, ..] => is(product_key, device_name),
        ["", "shadow", "update" | "get", product_key, device_name] => is(product_key, device_name),
        ["", "ota", "device", _, product_key, device_name] => is(product_key, device_name),
        [
            "",
            "ext",
            "ntp" | "session",
            product_key,
            device_name,
            _,
            ..,
        ] => is(product_key, device_name),
        ["", "ext", "error", product_key, device_name] => is(product_key, device_name),
        ["", "ext", kind, ..] => !matches!(kind, "" | "+" | "#"),
        ["", product_key, device_name, _, ..] => is(product_key, device_name),
        _ => false,
    }
}

/// Whether the platform delivers `topic` without a SUBSCRIBE to a device with automatic subscription.
pub fn auto_subscribed(device: &DeviceId, topic: &str) -> bool {
    let user_topic = topic.starts_with(&format!("/{}/", device.product_key));
    own(device, topic) && !user_topic && !topic.starts_with("/ext/rrpc/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_topics() {
        let device = DeviceId {
            product_key: "pk".into(),
            device_name: "dn".into(),
        };
        for topic in [
            "/pk/dn/user/get",
            "/sys/pk/dn/thing/event/property/post",
            "/shadow/update/pk/dn",
            "/ota/device/inform/pk/dn",
            "/ext/ntp/pk/dn/request",
            "/ext/session/pk/dn/combine/login",
            "/ext/rrpc/1234/any/topic",
            "/ext/auth/identity/response",
        ] {
            assert_eq!(publish_problem(&device, topic), None, "{topic}");
            assert_eq!(subscribe_problem(&device, topic), None, "{topic}");
        }
        for filter in [
            "/pk/dn/#",
            "/pk/dn/user/+",
            "/sys/pk/dn/thing/+/+",
            "/ext/rrpc/+/x",
            "/broadcast/pk/all",
        ] {
            assert_eq!(subscribe_problem(&device, filter), None, "{filter}");
        }
        for topic in [
            "/pk/other/user/get",
            "/other/dn/user/get",
            "/pk/dn",
            "pk/dn/user",
            "/sys/pk/other/thing/x",
            "/shadow/update/pk/other",
            "/shadow/pk/dn",
            "/ota/device/inform//",
            "/ext/ntp/pk/other/request",
            "/ext/error/pk/other",
            "/",
            "//",
        ] {
            assert!(publish_problem(&device, topic).is_some(), "{topic}");
            assert!(subscribe_problem(&device, topic).is_some(), "{topic}");
        }
        for filter in [
            "#",
            "/#",
            "/+/dn/user",
            "/pk/+/user/get",
            "/sys/pk/+/x",
            "/ext/#",
            "/ext/+/pk/dn",
            "/broadcast/other/x",
        ] {
            assert!(subscribe_problem(&device, filter).is_some(), "{filter}");
        }
        assert!(publish_problem(&device, "/broadcast/pk/all").is_some());
        assert!(auto_subscribed(
            &device,
            "/sys/pk/dn/thing/service/property/set"
        ));
        assert!(!auto_subscribed(&device, "/pk/dn/user/get"));
        assert!(!auto_subscribed(
            &device,
            "/sys/pk/other/thing/service/property/set"
        ));
    }
}
