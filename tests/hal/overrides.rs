//! An application's own `HAL_*` wins in the static and in the shared library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{self, SYSTEM_LIBRARIES, run};

/// The library with the entry points of `probe.rs`, as a static archive.
fn probe_archive() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let directory = support::scratch("probe");
        let archive = directory.join("libprobe.a");
        let libraries = support::library_dir();
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc
            .args([
                "--edition",
                "2024",
                "--crate-type",
                "staticlib",
                "--crate-name",
                "probe",
            ])
            .arg("-L")
            .arg(format!("dependency={}", libraries.display()))
            .arg("--extern")
            .arg(format!("iotx={}", libraries.join("libiotx.rlib").display()))
            .arg("-o")
            .arg(&archive)
            .arg(support::sources().join("probe.rs"));
        run(&mut rustc);
        archive
    })
}

/// The names of the HAL's shim.
fn hal_names() -> Vec<String> {
    let shim = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shim/hal.c"))
        .expect("the shim");
    let names: Vec<String> = shim
        .lines()
        .filter_map(|line| line.strip_prefix("PUBLISH(")?.split(", ").nth(1))
        .map(str::to_owned)
        .collect();
    assert!(names.len() >= 36, "{names:?}");
    names
}

/// The same as a shared library, linked as the shipped one is, with nothing but the names given.
fn probe_shared(directory: &Path) -> PathBuf {
    let mut names = hal_names();
    let probe = fs::read_to_string(support::sources().join("probe.rs")).expect("probe.rs");
    names.extend(probe.lines().filter_map(|line| {
        let (_, rest) = line.split_once("extern \"C\" fn ")?;
        Some(rest.split_once('(')?.0.to_owned())
    }));
    let list = directory.join("exports.txt");
    fs::write(&list, names.join("\n")).expect("export list");
    run(
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("cmake/link-libraries.sh"))
            .arg(probe_archive())
            .arg(directory)
            .arg(SYSTEM_LIBRARIES.join(" "))
            .env("EXPORTS", list),
    );
    directory.join("libiotx.so")
}

fn check(name: &str, library: &Path, define: Option<&str>) {
    let directory = support::scratch(name);
    let program = directory.join("override");
    run(support::cc()
        .args(define)
        .arg(support::sources().join("override.c"))
        .arg("-Wl,--gc-sections")
        .arg(library)
        .args(SYSTEM_LIBRARIES)
        .arg(format!(
            "-Wl,-rpath,{}",
            library.parent().expect("a directory").display()
        ))
        .arg("-o")
        .arg(&program));
    run(Command::new(&program)
        .arg(support::echo_server().to_string())
        .current_dir(&directory));
}

#[test]
fn static_library() {
    check("static-override", probe_archive(), Some("-DOVERRIDE"));
    check("static-default", probe_archive(), None);
}

#[test]
fn shared_library() {
    let library = probe_shared(&support::scratch("probe-shared"));
    check("shared-override", &library, Some("-DOVERRIDE"));
    check("shared-default", &library, None);
    let symbols = run(Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(&library))
    .stdout;
    let symbols = String::from_utf8(symbols).expect("text");
    for line in symbols.lines() {
        let name = line.rsplit(' ').next().expect("a name");
        let public = ["HAL_", "probe_"]
            .iter()
            .any(|start| name.starts_with(start));
        assert!(public, "{name} is visible");
    }
    assert!(symbols.contains(" W HAL_TCP_Read"), "{symbols}");
}

/// Every `HAL_*` in the archive that `make build` ships can be replaced.
#[test]
fn every_symbol_is_weak() {
    let archive = support::library_dir().join("libiotx.a");
    let listing = run(Command::new("nm").args(["--defined-only"]).arg(archive)).stdout;
    let listing = String::from_utf8_lossy(&listing).into_owned();
    let kind_of = |name: &str| {
        listing.lines().find_map(|line| {
            let (front, found) = line.rsplit_once(' ')?;
            (found == name).then(|| front.chars().last()).flatten()
        })
    };
    for name in hal_names() {
        assert_eq!(kind_of(&name), Some('W'), "{name}");
    }
}
