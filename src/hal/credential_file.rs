//! Files with certificates and keys that an application names instead of passing their content.

use std::fs::File;
use std::io::Read;

use zeroize::Zeroizing;

/// Longest file read, bytes: far above every certificate bundle.
pub const SIZE_MAX: u64 = 1024 * 1024;

/// The content of the file, wiped when dropped; or why there is none, without the content.
///
/// Blocks for the file system.
pub fn read(path: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    // Asked before opening: opening a named pipe would wait for its other end.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err("is not a file".to_owned());
    }
    if metadata.len() > SIZE_MAX {
        return Err(format!("is longer than {SIZE_MAX} bytes"));
    }
    // Sized in advance, so that no copy of a key is left behind by growing.
    let size = usize::try_from(metadata.len()).unwrap_or(0);
    let mut content = Zeroizing::new(Vec::with_capacity(size + 1));
    File::open(path)
        .map_err(failed)?
        .take(metadata.len())
        .read_to_end(&mut content)
        .map_err(failed)?;
    if content.is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_files_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("iotx-credential-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("folder");
        let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
        std::fs::write(path("good"), b"content").expect("file");
        std::fs::write(path("empty"), b"").expect("file");
        let long = File::create(path("long")).expect("file");
        long.set_len(SIZE_MAX + 1).expect("length");

        assert_eq!(read(&path("good")).expect("content").as_slice(), b"content");
        let refused = |name: &str| read(&path(name)).expect_err(name);
        assert!(refused("empty").contains("empty"));
        assert!(refused("long").contains("longer"));
        assert!(refused("absent").contains("cannot be read"));
        assert!(refused(".").contains("not a file"));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
