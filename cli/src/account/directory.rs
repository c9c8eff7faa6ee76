//! Certificates of a private CA in a folder: `{ProductKey}_{DeviceName}_{SN}.cer` and `.key`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::output::Problem;

/// The pair that was found.
#[derive(Debug)]
pub struct Found {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Finds the one pair for `product_key` and `device_name`; an empty name fits any.
pub fn find(folder: &Path, product_key: &str, device_name: &str) -> Result<Found, Problem> {
    let shown = folder.display();
    let entries = fs::read_dir(folder)
        .map_err(|error| Problem::input(format!("cannot read folder {shown}: {error}")))?;
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        if path.extension().is_some_and(|end| end == "cer") && fits(stem, product_key, device_name)
        {
            found.push(path);
        }
    }
    let [certificate] = found.as_slice() else {
        return Err(Problem::input(match found.len() {
            0 => format!("no {{ProductKey}}_{{DeviceName}}_{{SN}}.cer of this device in {shown}"),
            n => format!("{n} certificates fit in {shown}: say --product-key and --device-name"),
        }));
    };
    let key = certificate.with_extension("key");
    if !key.is_file() {
        return Err(Problem::input(format!(
            "{} has no .key beside it",
            certificate.display()
        )));
    }
    Ok(Found {
        certificate: certificate.clone(),
        key,
    })
}

/// Device names may hold underscores; product keys and serial numbers do not.
fn fits(stem: &str, product_key: &str, device_name: &str) -> bool {
    let Some((names, serial)) = stem.rsplit_once('_') else {
        return false;
    };
    let Some((key, name)) = names.split_once('_') else {
        return false;
    };
    !serial.is_empty()
        && serial.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !key.is_empty()
        && !name.is_empty()
        && (product_key.is_empty() || product_key == key)
        && (device_name.is_empty() || device_name == name)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn names_of_files() {
        assert!(fits("a1_dev_0A", "a1", "dev"));
        assert!(fits("a1_my_dev_0A", "a1", "my_dev"));
        assert!(fits("a1_my_dev_0A", "", ""));
        assert!(!fits("a1_dev_0A", "a1", "other"));
        assert!(!fits("a1_dev_0A", "a2", ""));
        for stem in [
            "",
            "a1",
            "a1_0A",
            "a1_dev_",
            "a1_dev_xyz",
            "_dev_0A",
            "a1__0A",
        ] {
            assert!(!fits(stem, "", ""), "{stem}");
        }
    }
}
