//! `main.c` with `port.c` in every arrangement of the link line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::libraries::{self, SYSTEM_LIBRARIES, compile, run, scratch, shipped};

const GROUPS: [&str; 5] = ["OS", "TCP", "TLS", "KV", "DATA"];
const EVERYTHING: u32 = 31;

/// The C side, compiled in one way: objects, and the port as an archive.
struct Compiled {
    folder: PathBuf,
    flags: Vec<&'static str>,
}

impl Compiled {
    fn new(name: &str, flags: &[&'static str]) -> Self {
        let folder = scratch(name);
        let mut objects = Vec::new();
        for group in GROUPS {
            let object = folder.join(format!("port_{group}.o"));
            let define = format!("-DPORT_{group}");
            let mut all = flags.to_vec();
            all.push(&define);
            compile(&libraries::sources().join("port.c"), &all, &object);
            objects.push(object);
        }
        libraries::archive(&folder.join("libport.a"), &objects);
        for (object, define) in [("main.o", "-DINDIRECT"), ("direct.o", "-DDIRECT")] {
            let mut all = flags.to_vec();
            all.push(define);
            compile(
                &libraries::sources().join("main.c"),
                &all,
                &folder.join(object),
            );
        }
        Compiled {
            folder,
            flags: flags.to_vec(),
        }
    }

    /// Links and gives the path of the program. `line` is the link line behind the compiler's
    /// own options; `{port}` stands for all objects of the port,
    /// `{take}` for the option that asks for them by name.
    fn link(&self, main: &str, line: &str, more: &[&str]) -> PathBuf {
        static PROGRAMS: AtomicUsize = AtomicUsize::new(0);
        let number = PROGRAMS.fetch_add(1, Ordering::Relaxed);
        let program = self.folder.join(format!("program{number}"));
        let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        cc.current_dir(&self.folder)
            .args(["-O2"])
            .args(&self.flags)
            .args(more)
            .arg(main)
            .arg("-L.")
            .arg(format!("-L{}", shipped().display()))
            .arg(format!("-Wl,-rpath,{}", shipped().display()));
        for word in line.split_whitespace() {
            match word {
                "{port}" => {
                    cc.args(GROUPS.map(|group| format!("port_{group}.o")));
                }
                "{take}" => {
                    let file = shipped().join("iotx_take_port.rsp");
                    cc.arg(format!("-Wl,@{}", file.display()));
                }
                word => {
                    cc.arg(word);
                }
            }
        }
        run(cc.args(SYSTEM_LIBRARIES).arg("-o").arg(&program));
        program
    }

    fn check(&self, main: &str, line: &str, more: &[&str]) {
        let program = self.link(main, line, more);
        let output = Command::new(&program)
            .current_dir(&self.folder)
            .output()
            .expect("the program starts");
        assert!(
            output.status.success(),
            "{main} {line} {:?} {more:?}: {}\n{}{}",
            self.flags,
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let _ = std::fs::remove_file(program);
    }
}

/// The lines on which the port must win although the program refers to none of its symbols.
const INDIRECT: [&str; 13] = [
    // Objects of the application, anywhere.
    "{port} -l:libiotx.a",
    "-l:libiotx.a {port}",
    "{port} -l:libiotx.so",
    "-l:libiotx.so {port}",
    // An archive between the core and the default port.
    "-liotx_core -lport -liotx_port",
    // The same, in either order.
    "-Wl,--start-group -lport -liotx_core -Wl,--end-group -liotx_port",
    "-Wl,--start-group -liotx_core -lport -Wl,--end-group -liotx_port",
    // An archive in front of the library, with the option that asks for every name.
    "{take} -lport -l:libiotx.a",
    "{take} -lport -l:libiotx.so",
    // An archive taken whole, on either side.
    "-Wl,--whole-archive -lport -Wl,--no-whole-archive -l:libiotx.a",
    "-l:libiotx.a -Wl,--whole-archive -lport -Wl,--no-whole-archive",
    "-Wl,--whole-archive -lport -Wl,--no-whole-archive -l:libiotx.so",
    "-l:libiotx.so -Wl,--whole-archive -lport -Wl,--no-whole-archive",
];

/// The lines on which it wins too when the application itself refers to the port's symbols.
const DIRECT: [&str; 3] = [
    "-lport -l:libiotx.a",
    "-lport -l:libiotx.so",
    "-lport -liotx_core -liotx_port",
];

fn all_lines(name: &str, compile_flags: &[&'static str], link_flags: &[&str]) {
    let compiled = Compiled::new(name, compile_flags);
    for line in INDIRECT {
        compiled.check("main.o", line, link_flags);
        compiled.check("direct.o", line, link_flags);
    }
    for line in DIRECT {
        compiled.check("direct.o", line, link_flags);
    }
}

#[test]
fn plain() {
    all_lines("plain", &[], &[]);
}

#[test]
fn without_unused_sections() {
    all_lines(
        "sections",
        &["-ffunction-sections", "-fdata-sections"],
        &["-Wl,--gc-sections"],
    );
}

#[test]
fn with_link_time_optimisation() {
    all_lines("lto", &["-flto"], &[]);
}

#[test]
fn with_both() {
    all_lines(
        "lto-sections",
        &["-flto", "-ffunction-sections", "-fdata-sections"],
        &["-Wl,--gc-sections"],
    );
}

/// Each group alone: its functions are the port's, all others ours.
#[test]
fn one_group_at_a_time() {
    let compiled = Compiled::new("groups", &[]);
    let check = |bit: usize, group: &str| {
        let own = format!("-DOWN={}", 1 << bit);
        let main = format!("one_{group}.o");
        compile(
            &libraries::sources().join("main.c"),
            &[&own],
            &compiled.folder.join(&main),
        );
        for library in ["-l:libiotx.a", "-l:libiotx.so", "-liotx_core -liotx_port"] {
            compiled.check(&main, &format!("port_{group}.o {library}"), &[]);
        }
    };
    // In parallel: with our own HAL_SleepMs, the pauses between attempts are real.
    thread::scope(|scope| {
        for (bit, group) in GROUPS.iter().enumerate() {
            let check = &check;
            scope.spawn(move || check(bit, group));
        }
    });
}

/// Nothing of the port in the link: everything ours, in both ways to link statically.
#[test]
fn no_port() {
    let compiled = Compiled::new("none", &[]);
    compile(
        &libraries::sources().join("main.c"),
        &["-DOWN=0"],
        &compiled.folder.join("ours.o"),
    );
    for library in ["-l:libiotx.a", "-l:libiotx.so", "-liotx_core -liotx_port"] {
        compiled.check("ours.o", library, &[]);
    }
}

/// The version report for every answer of `HAL_GetFirmwareVersion`.
#[test]
fn firmware_versions() {
    let compiled = Compiled::new("versions", &[]);
    let program = compiled.link("main.o", "{port} -l:libiotx.a", &[]);
    let longest = "v".repeat(64);
    for (answer, version) in [
        ("", Some("port-7.7")),
        ("zero", None),
        ("error", None),
        ("unterminated", Some("port-7.7")),
        ("long", Some(&longest)),
    ] {
        let output = run(Command::new(&program).env("PORT_VERSION_AS", answer)).stdout;
        let text = String::from_utf8_lossy(&output);
        let report = text
            .lines()
            .find_map(|line| line.strip_prefix("report "))
            .expect("a line on the report");
        match version {
            None => assert_eq!(report, "", "{answer}"),
            Some(version) => {
                let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
                assert_eq!(report["params"]["version"], version, "{answer}");
            }
        }
    }
}

/// `HAL_Malloc` fails at its n-th call, and from its n-th call on, for every n.
#[test]
fn memory_that_fails() {
    let folder = scratch("memory");
    for library in ["-l:libiotx.a", "-l:libiotx.so"] {
        let program = folder.join("memory");
        run(libraries::cc()
            .arg(libraries::sources().join("memory.c"))
            .arg(format!("-L{}", shipped().display()))
            .arg(format!("-Wl,-rpath,{}", shipped().display()))
            .arg(library)
            .args(SYSTEM_LIBRARIES)
            .arg("-o")
            .arg(&program));
        let output = run(&mut Command::new(&program)).stdout;
        let text = String::from_utf8_lossy(&output);
        assert!(text.ends_with(" failures 0\n"), "{library}: {text}");
    }
}

/// What no order of archives can do, and what the linker says then.
#[test]
fn limits_of_archives() {
    let compiled = Compiled::new("limits", &[]);
    // Nobody asks for the port's members: the lines that the documentation warns of.
    compile(
        &libraries::sources().join("main.c"),
        &["-DOWN=0"],
        &compiled.folder.join("ours.o"),
    );
    for line in [
        "-l:libiotx.a -lport",
        "{take} -l:libiotx.a -lport",
        "{take} -l:libiotx.so -lport",
        "-lport -l:libiotx.a",
        "-l:libiotx.so -lport",
        "-lport -liotx_core -liotx_port",
    ] {
        compiled.check("ours.o", line, &[]);
    }
    // Without a default port, the linker names what is missing, and only that.
    let every = ["HAL_UptimeMs", "HAL_TCP_Read", "HAL_SSL_Read", "HAL_Kv_Get"];
    for (present, lacking) in [
        ("", &every[..]),
        ("port_OS.o port_DATA.o port_TLS.o port_KV.o", &every[1..2]),
        ("port_TCP.o port_KV.o port_TLS.o port_DATA.o", &every[..1]),
    ] {
        let output = libraries::cc()
            .current_dir(&compiled.folder)
            .args(["ours.o", "-liotx_core"])
            .args(present.split_whitespace())
            .arg(format!("-L{}", shipped().display()))
            .args(SYSTEM_LIBRARIES)
            .args(["-o", "missing"])
            .output()
            .expect("the compiler starts");
        assert!(!output.status.success());
        let text = String::from_utf8_lossy(&output.stderr);
        for name in every {
            assert_eq!(
                text.contains(&format!("undefined reference to `{name}'")),
                lacking.contains(&name),
                "{name} with {present}: {text}"
            );
        }
    }
    // A second definition of the application itself is an error, not a matter of luck.
    let output = libraries::cc()
        .current_dir(&compiled.folder)
        .args(["main.o", "port_KV.o", "port_KV.o"])
        .arg(Path::new(shipped()).join("libiotx.a"))
        .args(SYSTEM_LIBRARIES)
        .args(["-o", "twice"])
        .output()
        .expect("the compiler starts");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("multiple definition of `HAL_Kv_Set'"),
        "{text}"
    );
}

/// `port.h` lists every function that the default port defines: the tests above miss none.
#[test]
fn every_symbol_is_listed() {
    let symbols = run(Command::new("nm")
        .arg("--defined-only")
        .arg(shipped().join("libiotx_port.a")))
    .stdout;
    let symbols = String::from_utf8_lossy(&symbols).into_owned();
    let header = std::fs::read_to_string(libraries::sources().join("port.h")).expect("port.h");
    let mut functions = 0;
    for line in symbols.lines() {
        let mut words = line.split_whitespace().skip(1);
        let (Some(kind), Some(name)) = (words.next(), words.next()) else {
            continue;
        };
        match kind {
            "W" => {
                functions += 1;
                assert!(header.contains(&format!(", {name})")), "{name}");
            }
            "V" => assert!(
                ["iotx_ca_crt", "g_cli_crt", "g_cli_key"].contains(&name),
                "{name}"
            ),
            _ => {}
        }
    }
    let listed = header
        .lines()
        .filter(|line| line.trim_start().starts_with("X("))
        .map(|line| line.matches("X(").count())
        .sum::<usize>();
    assert_eq!(functions, listed);
    assert_eq!(EVERYTHING, (1 << GROUPS.len()) - 1);
}
