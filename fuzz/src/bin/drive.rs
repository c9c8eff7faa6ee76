//! Fuzzing without libFuzzer: `drive TARGET SECONDS CORPUS [SEED]`. An input that fails is left in `fuzz/artifacts`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use iotx_fuzz::driver::{self, Until};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let (name, seconds, corpus, seed) = match &arguments[1..] {
        [name, seconds, corpus] => (name, seconds, corpus, "1"),
        [name, seconds, corpus, seed] => (name, seconds, corpus, seed.as_str()),
        _ => return usage("wrong number of arguments"),
    };
    let (Some(target), Ok(seconds), Ok(seed)) =
        (iotx_fuzz::by_name(name), seconds.parse(), seed.parse())
    else {
        return usage("no such target, or no number");
    };
    let corpus = driver::corpus(Path::new(corpus));
    let mut current = Vec::new();
    let until = Until::Time(Duration::from_secs(seconds));
    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        driver::drive(&target, &corpus, seed, until, &mut current)
    }));
    match run {
        Ok(count) => {
            println!("{name}: {count} inputs, seed {seed}");
            ExitCode::SUCCESS
        }
        Err(_) => {
            let folder = PathBuf::from("fuzz/artifacts").join(name);
            let file = folder.join(format!("drive-{seed}"));
            let kept =
                std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, &current));
            println!("{name}: failed, input {} ({kept:?})", file.display());
            ExitCode::FAILURE
        }
    }
}

fn usage(reason: &str) -> ExitCode {
    let names = iotx_fuzz::TARGETS.map(|target| target.name).join(" ");
    eprintln!("{reason}\nusage: drive TARGET SECONDS CORPUS [SEED]\ntargets: {names}");
    ExitCode::from(2)
}
