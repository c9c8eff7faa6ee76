//! The headers of older SDK versions, `include/compat`: usable everywhere, with the layouts and
//! numbers of their version, and declaring the functions as Rust defines them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::{ARM, C, CPP, check, compile, headers, root, scratch};

/// What a version has: folder, the headers that show its whole interface, sizes and offsets on 64-bit
/// and 32-bit targets, and numbers.
struct Version {
    folder: &'static str,
    headers: &'static [&'static str],
    layouts: &'static [(&'static str, usize, usize)],
    numbers: &'static [(&'static str, i64)],
}

const VERSIONS: [Version; 4] = [
    Version {
        folder: "2.2",
        headers: &["iot_import.h", "iot_export.h"],
        layouts: &[
            ("sizeof(iotx_mqtt_param_t)", 112, 60),
            ("offsetof(iotx_mqtt_param_t, host)", 8, 4),
            ("offsetof(iotx_mqtt_param_t, client_id)", 16, 8),
            ("offsetof(iotx_mqtt_param_t, username)", 24, 12),
            ("offsetof(iotx_mqtt_param_t, password)", 32, 16),
            ("offsetof(iotx_mqtt_param_t, pub_key)", 40, 20),
            ("offsetof(iotx_mqtt_param_t, clean_session)", 48, 24),
            ("offsetof(iotx_mqtt_param_t, request_timeout_ms)", 52, 28),
            ("offsetof(iotx_mqtt_param_t, keepalive_interval_ms)", 56, 32),
            ("offsetof(iotx_mqtt_param_t, pwrite_buf)", 64, 36),
            ("offsetof(iotx_mqtt_param_t, write_buf_size)", 72, 40),
            ("offsetof(iotx_mqtt_param_t, pread_buf)", 80, 44),
            ("offsetof(iotx_mqtt_param_t, read_buf_size)", 88, 48),
            ("offsetof(iotx_mqtt_param_t, handle_event)", 96, 52),
            ("sizeof(iotx_mqtt_topic_info_t)", 32, 20),
            ("sizeof(iotx_mqtt_event_msg_t)", 16, 8),
            ("sizeof(iotx_mqtt_event_handle_t)", 16, 8),
            ("sizeof(iotx_conn_info_t)", 1168, 1164),
            ("offsetof(iotx_conn_info_t, host_name)", 2, 2),
            ("offsetof(iotx_conn_info_t, client_id)", 131, 131),
            ("offsetof(iotx_conn_info_t, username)", 388, 388),
            ("offsetof(iotx_conn_info_t, password)", 901, 901),
            ("offsetof(iotx_conn_info_t, pub_key)", 1160, 1160),
            ("sizeof(iotx_device_info_t)", 217, 217),
            ("sizeof(hal_os_thread_param_t)", 40, 20),
        ],
        numbers: &[
            ("IOTX_IOCTL_SET_DOMAIN", 0),
            ("IOTX_IOCTL_GET_DOMAIN", 1),
            ("IOTX_IOCTL_SET_DYNAMIC_REGISTER", 2),
            ("IOTX_IOCTL_GET_DYNAMIC_REGISTER", 3),
            ("IOTX_CLOUD_DOMAIN_GER", 4),
            ("IOT_LOG_EMERG", 0),
            ("IOT_LOG_DEBUG", 5),
            ("IOTX_MQTT_QOS2", 2),
            ("IOTX_MQTT_EVENT_PUBLISH_RECVEIVED", 12),
            ("IOTX_MQTT_EVENT_BUFFER_OVERFLOW", 13),
            ("ERROR_DEVICE_NOT_EXSIT", -311),
            ("NULL_VALUE_ERROR", -2),
            ("PRODUCT_KEY_MAXLEN", 21),
            ("FIRMWARE_VERSION_MAXLEN", 33),
            ("DEVICE_SECRET_LEN", 64),
        ],
    },
    Version {
        folder: "2.3",
        headers: &["iot_import.h", "iot_export.h"],
        layouts: &[
            ("sizeof(iotx_mqtt_param_t)", 88, 52),
            ("offsetof(iotx_mqtt_param_t, pub_key)", 40, 20),
            ("offsetof(iotx_mqtt_param_t, clean_session)", 48, 24),
            ("offsetof(iotx_mqtt_param_t, request_timeout_ms)", 52, 28),
            ("offsetof(iotx_mqtt_param_t, keepalive_interval_ms)", 56, 32),
            ("offsetof(iotx_mqtt_param_t, write_buf_size)", 60, 36),
            ("offsetof(iotx_mqtt_param_t, read_buf_size)", 64, 40),
            ("offsetof(iotx_mqtt_param_t, handle_event)", 72, 44),
            ("sizeof(iotx_mqtt_topic_info_t)", 32, 20),
            ("sizeof(iotx_mqtt_event_msg_t)", 16, 8),
            ("sizeof(iotx_conn_info_t)", 48, 24),
            ("offsetof(iotx_conn_info_t, init)", 2, 2),
            ("offsetof(iotx_conn_info_t, pub_key)", 40, 20),
            ("sizeof(hal_os_thread_param_t)", 40, 20),
        ],
        numbers: &[
            ("IOTX_IOCTL_SET_REGION", 0),
            ("IOTX_IOCTL_SET_DOMAIN", 0),
            ("IOTX_IOCTL_SET_MQTT_DOMAIN", 2),
            ("IOTX_IOCTL_SET_MQTT_PORT", 3),
            ("IOTX_IOCTL_SET_ENV", 4),
            ("IOTX_IOCTL_SET_HTTP_DOMAIN", 5),
            ("IOTX_IOCTL_SET_DYNAMIC_REGISTER", 6),
            ("IOTX_IOCTL_GET_SUBDEV_LOGIN", 12),
            ("IOTX_IOCTL_SET_ENDPOINT", 13),
            ("IOTX_IOCTL_QUERY_DEVID", 14),
            ("IOTX_IOCTL_SET_BOOTSTRAP_ENABLED", 16),
            ("ITE_SERVICE_REQUST", 5),
            ("ITE_PROPERTY_SET", 6),
            ("ITE_MQTT_CONNECT_SUCC", 16),
            ("ITE_STATE_EVERYTHING", 18),
            ("ITE_STATE_DEV_MODEL", 29),
            ("STATE_SYS_DEPEND_MUTEX_CREATE", -0x0209),
            ("STATE_SYS_DEPEND_NWK_CLOSE", -0x020C),
            ("STATE_MQTT_CONNACK_BAD_USERDATA", -0x0305),
            ("STATE_BIND_COAP_MSG_INVALID", -0x080C),
            ("STATE_SUB_DEVICE_BASE", -0x0A00),
            ("IOT_LOG_EMERG", 0),
            ("ERROR_DEVICE_NOT_EXSIT", -311),
            ("FIRMWARE_VERSION_MAXLEN", 65),
        ],
    },
    Version {
        folder: "3.0",
        headers: &[
            "dev_sign_api.h",
            "mqtt_api.h",
            "infra_compat.h",
            "mqtt_wrapper.h",
        ],
        layouts: &[
            ("sizeof(iotx_mqtt_param_t)", 96, 56),
            ("offsetof(iotx_mqtt_param_t, customize_info)", 40, 20),
            ("sizeof(iotx_mqtt_topic_info_t)", 32, 20),
            ("sizeof(iotx_mqtt_nwk_param_t)", 8, 4),
            ("sizeof(iotx_conn_info_t)", 48, 24),
            ("sizeof(iotx_sign_mqtt_t)", 588, 588),
            ("offsetof(iotx_sign_mqtt_t, port)", 256, 256),
            ("offsetof(iotx_sign_mqtt_t, clientid)", 258, 258),
            ("offsetof(iotx_sign_mqtt_t, password)", 522, 522),
            ("sizeof(iotx_dev_meta_info_t)", 184, 184),
            ("sizeof(hal_os_thread_param_t)", 32, 20),
        ],
        numbers: &[
            ("IOTX_IOCTL_SET_DYNAMIC_REGISTER", 4),
            ("IOTX_IOCTL_SET_OTA_DEV_ID", 11),
            ("IOTX_IOCTL_QUERY_DEVID", 12),
            ("IOTX_IOCTL_SET_CUSTOMIZE_INFO", 13),
            ("ITE_SERVICE_REQUEST", 5),
            ("ITE_PROPERTY_SET", 6),
            ("ITE_COTA", 15),
            ("ITE_MQTT_CONNECT_SUCC", 16),
            ("CONFIG_MQTT_REQUEST_TIMEOUT", 2000),
            ("CONFIG_MQTT_REQ_TIMEOUT_MIN", 500),
            ("CONFIG_MQTT_REQ_TIMEOUT_MAX", 5000),
            ("CONFIG_MQTT_MESSAGE_MAXLEN", 1024),
            ("IOTX_MQTT_QOS3_SUB_LOCAL", 3),
        ],
    },
    Version {
        folder: "3.1",
        headers: &[
            "infra_compat.h",
            "dev_sign_api.h",
            "mqtt_api.h",
            "wrappers.h",
        ],
        layouts: &[
            ("sizeof(iotx_mqtt_param_t)", 96, 56),
            ("sizeof(iotx_conn_info_t)", 48, 24),
            ("sizeof(iotx_sign_mqtt_t)", 396, 396),
            ("sizeof(iotx_dev_meta_info_t)", 184, 184),
            ("sizeof(iotx_user_subscribe_context)", 16, 8),
            ("sizeof(hal_os_thread_param_t)", 32, 20),
        ],
        numbers: &[
            ("IOTX_IOCTL_FOTA_TIMEOUT_MS", 12),
            ("IOTX_IOCTL_QUERY_DEVID", 18),
            ("IOTX_IOCTL_GET_DEVICE_SECRET", 27),
            ("ITE_SERVICE_REQUEST_EXT", 6),
            ("ITE_FOTA", 15),
            ("ITE_COTA", 16),
            ("ITE_IDENTITY_RESPONSE", 20),
            ("ITE_STATE_EVERYTHING", 21),
            ("ITE_STATE_DEV_MODEL", 30),
            ("CONFIG_MQTT_REQUEST_TIMEOUT", 5000),
            ("CONFIG_MQTT_MESSAGE_MAXLEN", 3072),
        ],
    },
];

fn folder(version: &str) -> PathBuf {
    root().join("include/compat").join(version)
}

/// Every header below `folder`, relative to it.
fn headers_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_str().expect("UTF-8");
        if path.is_dir() {
            names.extend(
                headers_below(&path)
                    .iter()
                    .map(|below| format!("{name}/{below}")),
            );
        } else {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names
}

/// Compiler arguments for the headers of `version`, searched before those of 3.2.0.
fn search(version: &str) -> [String; 2] {
    ["-I".into(), folder(version).to_str().expect("UTF-8").into()]
}

fn check_all(version: &str, file: &Path) {
    let search = search(version);
    let search: Vec<_> = search.iter().map(String::as_str).collect();
    for settings in C.into_iter().chain(CPP).chain([ARM]) {
        check(settings, file, &search);
    }
}

#[test]
fn every_header_of_an_older_version_stands_alone() {
    for version in &VERSIONS {
        let names = headers_below(&folder(version.folder));
        assert!(names.len() >= 8, "{names:?}");
        let mut every = String::new();
        for name in names {
            // A header of macros only would leave the file empty, which pedantic C refuses.
            let alone = format!("#include \"{name}\"\n#include \"{name}\"\ntypedef int filled;\n");
            let unit = format!("older_{}_{}.c", version.folder, name.replace('/', "_"));
            check_all(version.folder, &scratch(&unit, &alone));
            let _ = writeln!(every, "#include \"{name}\"");
        }
        let file = scratch(&format!("older_{}_all.c", version.folder), &every);
        check_all(version.folder, &file);
    }
}

#[test]
fn layouts_and_numbers_of_older_versions() {
    for version in &VERSIONS {
        let mut source = String::from("#include <stddef.h>\n");
        for header in version.headers {
            let _ = writeln!(source, "#include \"{header}\"");
        }
        let mut checks = Vec::new();
        for (expression, wide, narrow) in version.layouts {
            checks.push(format!(
                "{expression} == (sizeof(void *) == 8 ? {wide} : {narrow})"
            ));
        }
        for (name, value) in version.numbers {
            checks.push(format!("{name} == {value}"));
        }
        for (number, condition) in checks.iter().enumerate() {
            let _ = writeln!(
                source,
                "typedef char check_{number}[({condition}) ? 1 : -1];"
            );
        }
        let name = format!("layouts_{}.c", version.folder);
        check_all(version.folder, &scratch(&name, &source));

        // And the check notices a wrong number.
        let (first, _, _) = version.layouts[0];
        let wrong = source.replacen(&format!("({first} == "), &format!("({first} == 1 + "), 1);
        assert_ne!(wrong, source);
        let file = scratch(&format!("wrong_{name}"), &wrong);
        let search = search(version.folder);
        assert!(compile(C[0], &file, &[&search[0], &search[1], "-fsyntax-only"]).is_err());
    }
}

/// A header of 3.2.0 that an older folder lacks would be found in `include` and bring the newer
/// layouts.
#[test]
fn versions_3_have_every_header() {
    for version in ["3.0", "3.1"] {
        let names = headers_below(&folder(version));
        for header in headers() {
            assert!(names.contains(&header), "compat/{version} lacks {header}");
        }
    }
}

#[test]
fn two_versions_in_one_file_are_refused() {
    let mixtures = [
        (
            "3.1",
            "#include <infra_compat.h>\n#include \"../3.0/mqtt_api.h\"\n",
        ),
        (
            "3.0",
            "#include \"../../mqtt_api.h\"\n#include \"mqtt_api.h\"\n",
        ),
        (
            "2.3",
            "#include \"iot_export.h\"\n#include \"../../dev_sign_api.h\"\n",
        ),
        (
            "2.3",
            "#include \"iot_export.h\"\n#include \"../2.2/imports/iot_import_product.h\"\n",
        ),
    ];
    for (number, (version, includes)) in mixtures.into_iter().enumerate() {
        let base = folder(version);
        let source = includes.replace("\"../", &format!("\"{}/../", base.display()));
        let file = scratch(&format!("mixture_{number}.c"), &source);
        let search = search(version);
        let refused = compile(C[0], &file, &[&search[0], &search[1], "-fsyntax-only"]);
        let messages = refused.expect_err("two versions were accepted");
        assert!(messages.contains("in one source file"), "{messages}");
    }
}

/// The entry points have the types that the renamed declarations give them.
#[test]
fn rust_functions_agree_with_the_headers_of_older_versions() {
    for version in &VERSIONS {
        let renames = fs::read_dir(folder(version.folder))
            .expect("folder")
            .map(|entry| entry.expect("entry").path())
            .find(|path| {
                path.to_str()
                    .is_some_and(|path| path.ends_with("_config.h"))
            })
            .expect("a header of renames");
        let renames = fs::read_to_string(renames).expect("renames");
        let wanted: Vec<_> = renames
            .lines()
            .filter_map(|line| line.strip_prefix("#define ")?.split_once(' '))
            .map(|(_, target)| target)
            .filter(|target| target.starts_with("iotx_v"))
            .collect();
        assert!(!wanted.is_empty());

        let mut builder = cbindgen::Builder::new().with_config(cbindgen::Config {
            language: cbindgen::Language::C,
            no_includes: true,
            documentation: false,
            ..Default::default()
        });
        for file in ["v2_2", "v2_3", "v3_0", "v3_1"] {
            builder = builder.with_src(root().join(format!("src/ffi/compat/{file}.rs")));
        }
        let mut out = Vec::new();
        builder.generate().expect("cbindgen").write(&mut out);
        let declarations = String::from_utf8(out).expect("UTF-8");

        let mut source = String::new();
        for header in version.headers {
            let _ = writeln!(source, "#include \"{header}\"");
        }
        let mut compared = 0;
        for statement in declarations.split(';') {
            let Some(at) = statement.find("iotx_v") else {
                continue;
            };
            let name = statement[at..]
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default();
            if !wanted.contains(&name) || !statement[at..].starts_with(&format!("{name}(")) {
                continue;
            }
            // Structures of Rust carry the version in their name, and C's own names for handlers.
            let mut text = statement.trim().to_owned();
            let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
            text = lines.join("\n");
            for structure in ["mqtt_param_t", "sign_mqtt_t", "conn_info_t"] {
                for prefix in ["iotx_v22_", "iotx_v23_", "iotx_v30_"] {
                    let own = format!("{prefix}{structure}");
                    text = text.replace(&format!("struct {own}"), &own);
                    text = text.replace(&own, &format!("iotx_{structure}"));
                }
            }
            text = text.replace("StateHandler", "state_handler_t");
            let _ = writeln!(source, "{text};");
            compared += 1;
        }
        // The variadic one and the thread function are C; those for state events are written by a
        // macro, all alike, which cbindgen does not see.
        let others = wanted
            .iter()
            .filter(|name| {
                ["iotx_v31_state_event", "iotx_v23_ThreadCreate"].contains(name)
                    || name.starts_with("iotx_v23_register_for_ITE_STATE_")
            })
            .count();
        assert_eq!(compared + others, wanted.len(), "{source}");
        let file = scratch(&format!("older_agreement_{}.c", version.folder), &source);
        let search = search(version.folder);
        check(C[0], &file, &[&search[0], &search[1]]);
    }
}
