//! The libraries as they are shipped, made from this build, and C programs linked with them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// What the Rust library needs from the system, at the end of every link line.
pub const SYSTEM_LIBRARIES: [&str; 4] = ["-lgcc_s", "-lpthread", "-ldl", "-lm"];

/// The root of the source tree.
pub fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `tests/override`.
pub fn sources() -> PathBuf {
    tree().join("tests/override")
}

/// An empty directory for one test.
pub fn scratch(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("override")
        .join(test);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("scratch directory");
    directory
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// The folder with `libiotx.a`, `libiotx.so`, `libiotx_core.a` and `libiotx_port.a`.
pub fn shipped() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let program = std::env::current_exe().expect("path of the test program");
        let raw = program.with_file_name("libiotx.a");
        let folder = scratch("lib");
        run(Command::new(tree().join("cmake/link-libraries.sh"))
            .args([&raw, &folder])
            .arg(SYSTEM_LIBRARIES.join(" ")));
        run(Command::new(tree().join("cmake/core-archive.sh")).args([&raw, &folder]));
        folder
    })
}

/// The C compiler with strict warnings and the headers.
pub fn cc() -> Command {
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args([
        "-std=c99",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pedantic",
    ])
    .arg(format!("-I{}", tree().join("include").display()));
    cc
}

/// Compiles a C file with `flags` into `object`.
pub fn compile(source: &Path, flags: &[&str], object: &Path) {
    run(cc().args(flags).arg("-c").arg(source).arg("-o").arg(object));
}

/// Makes an archive of objects, with the archiver that knows the compiler's intermediate code.
pub fn archive(path: &Path, objects: &[PathBuf]) {
    run(Command::new("gcc-ar").arg("rcs").arg(path).args(objects));
}
