//! Reports about the device: the firmware version, which the library sends by itself, and the SDK, which it
//! sends when asked to (spec mqtt-session.md §6).

use super::config::Names;

/// Topic and payload of the version report, or `None` while the names are unknown.
pub(crate) fn version_report(names: &Names, id: u32, version: &str) -> Option<(String, String)> {
    if names.product_key.is_empty() || names.device_name.is_empty() {
        return None;
    }
    let topic = format!(
        "/ota/device/inform/{}/{}",
        names.product_key, names.device_name
    );
    let version = json_string(version);
    let module = if names.module.is_empty() {
        String::new()
    } else {
        // The blank is what devices in the field send.
        format!(", \"module\":{}", json_string(&names.module))
    };
    Some((
        topic,
        format!("{{\"id\":\"{id}\",\"params\":{{\"version\":{version}{module}}}}}"),
    ))
}

/// Release of the Link SDK whose interface is offered, `IOTX_SDK_VERSION`.
const SDK_VERSION: &str = "3.2.0";

/// Topic and payload of the report about SDK and language, or `None` while the names are unknown.
pub(crate) fn device_info(names: &Names, id: u32) -> Option<(String, String)> {
    if names.product_key.is_empty() || names.device_name.is_empty() {
        return None;
    }
    let topic = format!(
        "/sys/{}/{}/thing/deviceinfo/update",
        names.product_key, names.device_name
    );
    let attribute = |key: &str, value: &str| {
        format!("{{\"attrKey\":\"{key}\",\"attrValue\":\"{value}\",\"domain\":\"SYSTEM\"}}")
    };
    let version = attribute("SYS_LP_SDK_VERSION", SDK_VERSION);
    let language = attribute("SYS_SDK_LANGUAGE", "C");
    Some((
        topic,
        format!(
            "{{\"id\":\"{id}\",\"version\":\"1.0\",\"params\":[{version},{language}],\"method\":\"thing.deviceinfo.update\"}}"
        ),
    ))
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(module: &str) -> Names {
        Names {
            product_key: "pk".into(),
            device_name: "dn".into(),
            module: module.into(),
        }
    }

    #[test]
    fn has_the_documented_form() {
        let (topic, payload) = version_report(&names(""), 0, "app-1.0").expect("known names");
        assert_eq!(topic, "/ota/device/inform/pk/dn");
        assert_eq!(payload, r#"{"id":"0","params":{"version":"app-1.0"}}"#);
        let (_, payload) = version_report(&names("mcu"), 7, "1").expect("known names");
        assert_eq!(
            payload,
            r#"{"id":"7","params":{"version":"1", "module":"mcu"}}"#
        );
    }

    #[test]
    fn escapes_and_never_cuts() {
        let long = "v\"\\".repeat(40);
        let (_, payload) = version_report(&names("m\n"), 1, &long).expect("known names");
        let json: serde_json::Value = serde_json::from_str(&payload).expect("valid JSON");
        assert_eq!(json["params"]["version"], long);
        assert_eq!(json["params"]["module"], "m\n");
    }

    #[test]
    fn unknown_names_mean_no_report() {
        assert!(version_report(&Names::default(), 0, "1").is_none());
        assert!(device_info(&Names::default(), 0).is_none());
    }
}
