//! Reading and writing on an established session.
use crate::hal::{self, timed};
use crate::peer::{Proxy, Server};
use crate::pki::pki;

fn connect(port: u16) -> hal::Session {
    hal::establish("localhost", port, &pki().read("root.pem")).expect("session")
}

#[test]
fn data_goes_both_ways() {
    let server = Server::reversing();
    let session = connect(server.port);
    assert_eq!(session.write(b"hello\n", 1000), 6);
    let mut buf = [0; 6];
    assert_eq!(session.read(&mut buf, 2000), 6);
    assert_eq!(&buf, b"olleh\n");
}
