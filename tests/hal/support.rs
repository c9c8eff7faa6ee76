//! Building and running the C programs of this directory against the library.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use socket_options::reset_on_close;

/// What the Rust library needs from the system, at the end of every link line.
pub const SYSTEM_LIBRARIES: [&str; 4] = ["-lgcc_s", "-lpthread", "-ldl", "-lm"];

/// `tests/hal`.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hal")
}

/// Where cargo puts the libraries of this build: the directory of the test program.
pub fn library_dir() -> PathBuf {
    let program = std::env::current_exe().expect("path of the test program");
    program
        .parent()
        .expect("a file is in a directory")
        .to_owned()
}

/// An empty directory for one test, in cargo's directory for such files.
pub fn scratch(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("hal")
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

/// The C compiler with strict warnings.
pub fn cc() -> Command {
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-g"]);
    cc
}

/// Compiles `tests/hal/NAME.c` against the static library into `directory/NAME`.
pub fn c_program(name: &str, directory: &Path) -> PathBuf {
    let program = directory.join(name);
    run(cc()
        .arg(sources().join(name).with_extension("c"))
        .arg("-Wl,--gc-sections")
        .arg(library_dir().join("libiotx.a"))
        .args(SYSTEM_LIBRARIES)
        .args([OsStr::new("-o"), program.as_os_str()]));
    program
}

/// A server that sends everything back, for any number of connections; its port.
pub fn echo_server() -> u16 {
    serve(|mut stream| {
        let mut buf = [0u8; 1024];
        while let Ok(got @ 1..) = stream.read(&mut buf) {
            if stream.write_all(&buf[..got]).is_err() {
                break;
            }
        }
    })
}

/// A server that resets every connection after its first byte; its port. Not at once: that could
/// already fail the connect.
pub fn resetting_server() -> u16 {
    serve(|mut stream| {
        let _ = stream.read(&mut [0u8; 1]);
        reset_on_close(&stream);
    })
}

fn serve(handler: impl Fn(std::net::TcpStream) + Send + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handler = handler.clone();
            thread::spawn(move || handler(stream));
        }
    });
    port
}

/// A port that refuses connections for as long as the socket lives: bound, not listening.
pub fn unlistened_port() -> (OwnedFd, u16) {
    // SAFETY: no pointers involved.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    assert!(fd >= 0);
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all-zero bytes are a valid sockaddr_in.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
    let mut len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the structure and its length belong together.
    let bound = unsafe { libc::bind(fd, (&raw const address).cast(), len) };
    assert_eq!(bound, 0);
    // SAFETY: structure and length are valid to write to.
    let named = unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut len) };
    assert_eq!(named, 0);
    (socket, u16::from_be(address.sin_port))
}

/// What std does not offer.
pub mod socket_options {
    use std::mem;
    use std::net::TcpStream;
    use std::os::fd::AsRawFd;

    /// Makes closing the stream send a reset.
    pub fn reset_on_close(stream: &TcpStream) {
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        // SAFETY: value and length describe the structure.
        let status = unsafe {
            libc::setsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                mem::size_of::<libc::linger>() as libc::socklen_t,
            )
        };
        assert_eq!(status, 0);
    }
}
