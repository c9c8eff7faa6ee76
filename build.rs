//! Builds the C shim.
fn main() {
    println!("cargo:rerun-if-changed=src/shim");
    let mut build = cc::Build::new();
    for entry in std::fs::read_dir("src/shim").expect("src/shim") {
        let path = entry.expect("entry").path();
        if path.extension().is_some_and(|e| e == "c") {
            build.file(path);
        }
    }
    build
        .cargo_metadata(false)
        .flag("-Wall")
        .flag("-Wextra")
        .flag("-std=c99")
        .compile("iotx_shim");
    println!(
        "cargo:rustc-link-search=native={}",
        std::env::var("OUT_DIR").expect("OUT_DIR")
    );
    println!("cargo:rustc-link-lib=static:+whole-archive=iotx_shim");
}
