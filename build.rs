//! Compiles the C shim (`src/shim/*.c`): what stable Rust cannot say, namely weak symbols and
//! variadic functions.
//!
//! Every object goes into every product, referenced or not (`+whole-archive`): an application may
//! call any `HAL_*` that the core itself never calls.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let shim = root.join("src/shim");
    println!("cargo:rerun-if-changed={}", shim.display());
    let sources = c_sources(&shim);
    for source in &sources {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    let mut build = cc::Build::new();
    if env::var_os("CARGO_FEATURE_FAST_GCM").is_some() {
        build.define("IOTX_FAST_GCM", None);
    }
    build
        .files(&sources)
        .include(root.join("include"))
        .std("c99")
        .pic(true)
        .warnings(true)
        .extra_warnings(true)
        // Default visibility: the symbols must stay replaceable in the shared library.
        .flag("-fvisibility=default")
        .flag("-ffunction-sections")
        .flag("-fdata-sections")
        // The compiler must not assume that a weak function is the one it sees here.
        .flag_if_supported("-fsemantic-interposition")
        .link_lib_modifier("+whole-archive")
        .compile("iotx_shim");
}

/// The C files of `dir` in a stable order, so that builds are reproducible.
fn c_sources(dir: &Path) -> Vec<PathBuf> {
    let mut sources: Vec<PathBuf> = fs::read_dir(dir)
        .expect("src/shim exists")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "c"))
        .collect();
    sources.sort();
    sources
}
