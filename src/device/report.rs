//! The report the library sends by itself: the firmware version (spec mqtt-session.md §6).

use super::config::Names;

/// Topic and payload of the version report, or `None` while the names are unknown.
pub(super) fn version_report(names: &Names, id: u32, version: &str) -> Option<(String, String)> {
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
    }
}
