//! The headers of `include/`: up to date, usable everywhere, and exactly the recorded interface.
//!
//! `IOTX_BLESS=1 cargo test --test headers` writes the generated ones (`iotx.h`, `infra_state.h`).

#[path = "abi/assertions.rs"]
mod assertions;
#[path = "abi/older_versions.rs"]
mod older_versions;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assertions::Recorded;
use iotx::state;

const C: [(&str, &str); 4] = [
    ("gcc", "c99"),
    ("gcc", "c11"),
    ("clang", "c99"),
    ("clang", "c11"),
];
const CPP: [(&str, &str); 4] = [
    ("g++", "c++14"),
    ("g++", "c++17"),
    ("clang++", "c++14"),
    ("clang++", "c++17"),
];

/// A 32-bit target; only the layouts are of interest, nothing is linked.
const ARM: (&str, &str) = ("arm-linux-gnueabihf-gcc", "c99");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn headers() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(root().join("include"))
        .expect("include/")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter(|name| name.ends_with(".h"))
        .collect();
    names.sort();
    names
}

/// Writes `source` to a scratch file of this test.
fn scratch(name: &str, source: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, source).expect("scratch file");
    path
}

/// Runs a compiler with all warnings as errors; the messages when it refuses.
fn compile((compiler, standard): (&str, &str), source: &Path, more: &[&str]) -> Result<(), String> {
    let language = if standard.starts_with("c++") {
        "c++"
    } else {
        "c"
    };
    let output = Command::new(compiler)
        .arg(format!("-std={standard}"))
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic"])
        .args(more)
        .arg("-I")
        .arg(root().join("include"))
        .args(["-x", language])
        .arg(source)
        .output()
        .unwrap_or_else(|error| panic!("the header tests need {compiler}: {error}"));
    if output.status.success() {
        return Ok(());
    }
    let messages = String::from_utf8_lossy(&output.stderr);
    Err(format!("{compiler} -std={standard}: {messages}"))
}

fn check(settings: (&str, &str), source: &Path, more: &[&str]) {
    let mut arguments = vec!["-fsyntax-only"];
    arguments.extend(more);
    if let Err(messages) = compile(settings, source, &arguments) {
        panic!("{messages}");
    }
}

/// Compares a generated header with the tree, or writes it when asked to.
fn fresh(name: &str, wanted: &str) {
    let path = root().join("include").join(name);
    if std::env::var_os("IOTX_BLESS").is_some() {
        fs::write(&path, wanted).expect("header");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "include/{name} is stale, run IOTX_BLESS=1 cargo test --test headers"
    );
}

/// `infra_state.h` from the table of state codes.
fn infra_state_h() -> String {
    let mut out = String::from(
        "/* SPDX-License-Identifier: Apache-2.0 */\n\
         /* State codes, generated from src/state.rs; do not edit. A code is its base minus a number;\n \
         * IOT_Extension_StateDesc gives the sentences below at run time. */\n\
         #ifndef __INFRA_STATE_H__\n#define __INFRA_STATE_H__\n",
    );
    let mut group = i32::MIN;
    for entry in state::STATE_CODES {
        let own = -(-entry.value & !0xFF);
        if own != group {
            group = own;
            // Bases without codes of their own stand before the next group that has some.
            for base in state::STATE_BASES.iter().filter(|base| base.value >= group) {
                if !out.contains(&format!("#define {} ", base.name)) {
                    define(&mut out, "\n", base, &number(base.value));
                }
            }
        }
        let base = state::STATE_BASES
            .iter()
            .find(|base| base.value == group)
            .expect("base");
        let value = format!("({} - 0x{:02X})", base.name, group - entry.value);
        define(&mut out, "", entry, &value);
    }
    out.push_str("\n#endif /* __INFRA_STATE_H__ */\n");
    out
}

fn number(value: i32) -> String {
    if value < 0 {
        format!("(-0x{:04X})", -value)
    } else {
        value.to_string()
    }
}

fn define(out: &mut String, before: &str, entry: &state::Code, value: &str) {
    let text = entry.text.to_str().expect("ASCII");
    let _ = writeln!(
        out,
        "{before}/* {text} */\n#define {:<46} {value}",
        entry.name
    );
}

/// The files of the C boundary. cbindgen reads each by itself, so the list of modules is left out.
fn boundary() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(root().join("src/ffi"))
        .expect("src/ffi")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| path.file_name().is_some_and(|name| name != "mod.rs"))
        .collect();
    files.sort();
    files
}

fn generate(mut config: cbindgen::Config, exclude: impl IntoIterator<Item = String>) -> String {
    config.export.exclude.extend(exclude);
    config
        .export
        .exclude
        .extend(functions_of_the_boundary().imported);
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in boundary() {
        builder = builder.with_src(file);
    }
    let mut out = Vec::new();
    builder.generate().expect("cbindgen").write(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

/// The C functions the boundary names.
#[derive(Default)]
struct Functions {
    /// Defined in Rust, spelled out (not written by a macro).
    exported: Vec<String>,
    /// Declared in an `extern` block.
    imported: Vec<String>,
}

fn functions_of_the_boundary() -> Functions {
    let mut found = Functions::default();
    for file in boundary() {
        let mut in_block = false;
        for line in fs::read_to_string(file).expect("source").lines() {
            in_block = (in_block && line != "}") || line.ends_with("extern \"C\" {");
            let marker = if in_block { "fn " } else { "extern \"C\" fn " };
            let Some((before, rest)) = line.split_once(marker) else {
                continue;
            };
            let name = rest
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next();
            let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
            let before = before.trim_start();
            if in_block && !before.starts_with("//") {
                found.imported.extend(name);
            } else if before.starts_with("pub ") {
                found.exported.extend(name);
            }
        }
    }
    found
}

fn exported_functions() -> Vec<String> {
    functions_of_the_boundary().exported
}

/// Types, functions and variables that the SDK-named headers declare.
fn sdk_names(recorded: &Recorded) -> Vec<String> {
    let mut names = Vec::new();
    for section in [
        "enums",
        "structs",
        "function_pointer_types",
        "typedefs",
        "functions",
        "variables",
    ] {
        for item in recorded.all(section) {
            names.extend(
                ["name", "tag"]
                    .iter()
                    .filter_map(|key| item[*key].as_str())
                    .map(str::to_owned),
            );
            let pointers = item["pointer_typedefs"].as_array().into_iter().flatten();
            names.extend(pointers.filter_map(|name| name.as_str()).map(str::to_owned));
        }
    }
    names
}

/// The checked-in, generated headers.
#[test]
fn generated_headers_are_up_to_date() {
    fresh("infra_state.h", &infra_state_h());
    let recorded = Recorded::load();
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("cbindgen.toml");
    let internal = exported_functions()
        .into_iter()
        .filter(|name| name.starts_with("iotx_port_"));
    fresh(
        "iotx.h",
        &generate(config, sdk_names(&recorded).into_iter().chain(internal)),
    );
}

#[test]
fn every_header_stands_alone_and_may_come_twice() {
    let names = headers();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        // A header of macros only would leave the file empty, which pedantic C refuses.
        let source = format!("#include \"{name}\"\n#include \"{name}\"\ntypedef int filled;\n");
        let file = scratch(&format!("alone_{name}.c"), &source);
        for settings in C.into_iter().chain(CPP) {
            check(settings, &file, &[]);
        }
    }
}

#[test]
fn headers_declare_the_recorded_interface() {
    let (source, checks) = assertions::program(&Recorded::load(), &headers());
    assert!(checks > 1500, "only {checks} checks");
    let file = scratch("interface.c", &source);
    let optional = [
        "-DAT_PARSER_ENABLED",
        "-DAT_TCP_ENABLED",
        "-DAT_SSL_ENABLED",
    ];
    for settings in C.into_iter().chain(CPP) {
        check(settings, &file, &[]);
        check(settings, &file, &optional);
        // A macro of the Link SDK must not change the numbers.
        check(settings, &file, &["-DDEVICE_MODEL_SHADOW"]);
    }
    check(ARM, &file, &[]);
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interface");
    compile(C[0], &file, &["-o", program.to_str().expect("UTF-8")]).expect("link");
    assert!(
        Command::new(program).status().expect("run").success(),
        "a text differs"
    );
}

/// The checks above notice a wrong value, type, offset and parameter.
#[test]
fn the_interface_check_can_fail() {
    let (good, _) = assertions::program(&Recorded::load(), &headers());
    let wrong = [
        (
            "STATE_USER_INPUT_INVALID == -275",
            "STATE_USER_INPUT_INVALID == -276",
        ),
        ("ITE_MQTT_CONNECT_SUCC == 18", "ITE_MQTT_CONNECT_SUCC == 19"),
        (
            "offsetof(iotx_mqtt_param_t, read_buf_size) == (sizeof(void *) == 8 ? 72",
            "offsetof(iotx_mqtt_param_t, read_buf_size) == (sizeof(void *) == 8 ? 76",
        ),
        (
            "__typeof__(&IOT_MQTT_Publish_Simple), int (*)(void *,",
            "__typeof__(&IOT_MQTT_Publish_Simple), int (*)(const void *,",
        ),
        (
            "__typeof__(((iotx_mqtt_topic_info_t *)0)->payload), const char *",
            "__typeof__(((iotx_mqtt_topic_info_t *)0)->payload), char *",
        ),
    ];
    for (number, (from, to)) in wrong.into_iter().enumerate() {
        assert!(good.contains(from), "{from}");
        let file = scratch(&format!("wrong_{number}.c"), &good.replace(from, to));
        assert!(
            compile(C[0], &file, &["-fsyntax-only"]).is_err(),
            "{to} was accepted"
        );
    }
}

#[test]
fn short_enums_are_refused() {
    let file = scratch("short_enums.c", "#include \"infra_types.h\"\n");
    for compiler in ["gcc", "clang"] {
        let refused = compile(
            (compiler, "c99"),
            &file,
            &["-fsyntax-only", "-fshort-enums"],
        );
        let messages = refused.expect_err("accepted with short enums");
        assert!(
            messages.contains("iotx_enums_must_have_int_size"),
            "{messages}"
        );
    }
}

/// What Rust defines has the type the SDK-named headers declare: two declarations of one function in one
/// C file must agree.
#[test]
fn rust_functions_agree_with_the_headers_and_the_shim() {
    let recorded = Recorded::load();
    let sdk = sdk_names(&recorded);
    let functions: Vec<_> = recorded
        .all("functions")
        .iter()
        .filter_map(|item| item["name"].as_str())
        .collect();
    let config = || {
        let mut config = cbindgen::Config {
            language: cbindgen::Language::C,
            no_includes: true,
            documentation: false,
            ..Default::default()
        };
        config.export.item_types = vec![cbindgen::ItemType::Functions];
        config
    };
    let types = || {
        sdk.iter()
            .filter(|name| !functions.contains(&name.as_str()))
            .cloned()
    };
    let rust = exported_functions();
    assert!(rust.iter().any(|name| name == "IOT_Ioctl"), "{rust:?}");

    let outside = rust
        .iter()
        .filter(|name| !functions.contains(&name.as_str()))
        .cloned();
    let declarations = generate(config(), types().chain(outside));
    for name in rust
        .iter()
        .filter(|name| functions.contains(&name.as_str()))
    {
        assert!(
            declarations.contains(&format!("{name}(")),
            "{name} is not compared"
        );
    }
    let mut source = String::new();
    for header in headers() {
        let _ = writeln!(source, "#include \"{header}\"");
    }
    let file = scratch("agreement.c", &format!("{source}{declarations}"));
    for settings in C {
        check(settings, &file, &[]);
    }

    // The shim knows nothing of the functions whose types are in iotx.h alone.
    let own_types = [
        "iotx_mqtt_set_store",
        "iotx_mqtt_set_proxy",
        "iotx_mqtt_store_",
        "iotx_store_",
        "iotx_client_",
        "iotx_mqtt_stats",
        "iotx_log_set_callback",
        "iotx_tls_set_",
        "iotx_register_",
        "iotx_register",
    ];
    let public = rust
        .iter()
        .filter(|name| {
            functions.contains(&name.as_str())
                || own_types.iter().any(|prefix| name.starts_with(prefix))
        })
        .cloned();
    let declarations = generate(config(), types().chain(public));
    assert!(declarations.contains("iotx_port_hmac_sha256("));
    let prefix = "#include \"dev_sign_api.h\"\n#include \"mqtt_api.h\"\n#include \"infra_sha256.h\"\n\
                  #include \"infra_sha1.h\"\n#include \"infra_md5.h\"\n#include \"wrappers_defs.h\"\n\
                  #include \"infra_compat.h\"\n#include \"infra_timer.h\"\n#include \"infra_report.h\"\n\
                  #include \"infra_cjson.h\"\n#include \"infra_json_parser.h\"\n";
    let included = scratch("shim_functions.h", &format!("{prefix}{declarations}"));
    for entry in fs::read_dir(root().join("src/shim")).expect("src/shim") {
        let file = entry.expect("entry").path();
        if file.extension().is_some_and(|extension| extension == "c") {
            check(
                ("gcc", "gnu11"),
                &file,
                &[
                    "-Wno-array-parameter",
                    "-include",
                    included.to_str().expect("UTF-8"),
                ],
            );
        }
    }
}
