//! What a server sends in a TLS handshake. No input can be the right answer to the random number of this run,
//! so every one must end in a clear failure; on the way its certificates are read and judged.

use iotx::hal::diagnostics::Stage;
use iotx::hal::tls::{self, Options, ServerName, roots};

use super::super::port::{self, Behind};

pub fn run(data: &[u8]) {
    let _port = port::use_alone();
    port::wire(|wire| {
        wire.reachable = true;
        wire.greeting = data.to_vec();
        wire.window = usize::MAX;
    });
    let options = Options::new(
        ServerName::parse("x509.itls.cn-shanghai.aliyuncs.com").expect("a name"),
        1883,
        roots::BUNDLE.as_bytes().to_vec(),
    );
    match tls::connect(&options) {
        Ok(_) => panic!("a handshake out of a can"),
        Err(failure) => {
            assert_ne!(failure.stage, Stage::TlsConfig, "{failure:?}");
            assert!(!failure.text.is_empty());
        }
    }
    assert!(port::all_closed());
    port::wire(|wire| wire.behind = Behind::Silence);
}
