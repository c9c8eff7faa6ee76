//! Sessions that are resumed, and those that must not be. The server says which they were.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iotx::hal::tls::{self, Credentials, Identity, Options, ServerName, TlsSession};

use crate::peer::Server;
use crate::pki::pki;

/// The setting is one of the process; these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn options(port: u16) -> Options {
    let server = ServerName::parse("localhost").expect("name");
    Options::new(server, port, pki().read("root.pem").into_bytes())
}

/// Connects, and has the server tell whether the session was resumed; both must agree.
fn connect(server: &mut Server, options: &Options) -> (Arc<dyn TlsSession>, bool) {
    let session = tls::connect(options).unwrap_or_else(|failure| panic!("{failure}"));
    // Printed behind the line that says so.
    let told = server.wait_for("Secure Renegotiation IS");
    let reused = told.contains("Reused session-id");
    assert_eq!(session.info().resumed, reused, "{told}");
    server.send(b"down\n");
    let mut buf = [0; 16];
    assert_eq!(session.read(&mut buf, 5000), Ok(5));
    assert_eq!(session.write(b"up\n", 5000), Ok(3));
    server.wait_for("up");
    (session, reused)
}

fn end(server: &mut Server, session: Arc<dyn TlsSession>) {
    session.close();
    drop(session);
    server.wait_for("DONE");
}

#[test]
fn resumed_by_ticket_and_by_session_id_once_the_server_has_accepted_us() {
    let _turn = turn();
    for extra in [&[][..], &["-no_ticket"]] {
        let mut server = Server::start("server", "rsa.key", extra);
        let options = options(server.port);
        for (remember, wanted) in [
            (false, false),
            (true, false),
            (true, true),
            // Offered and not accepted: the one after that is a full handshake.
            (false, true),
            (true, false),
            (false, true),
        ] {
            let (session, resumed) = connect(&mut server, &options);
            assert_eq!(resumed, wanted, "{extra:?}");
            if remember {
                session.remember();
            }
            end(&mut server, session);
        }
    }
}

#[test]
fn a_client_certificate_belongs_to_the_session() {
    let _turn = turn();
    let root = pki().path("root.pem");
    let mut server = Server::start("server", "rsa.key", &["-verify", "2", "-CAfile", &root]);
    let with = |certificate: &str, key: &str| Options {
        credentials: Arc::new(Credentials::Certificate(Identity {
            certificate_pem: pki().read(certificate).into_bytes(),
            key_pem: pki().read(key).into_bytes().into(),
            key_password: None,
        })),
        ..options(server.port)
    };
    let (rsa, ec) = (
        with("device.pem", "rsa.key"),
        with("device-ec.pem", "ec.key"),
    );
    let without = options(server.port);
    for (options, wanted) in [
        (&rsa, false),
        (&ec, false),
        (&without, false),
        (&rsa, true),
        (&ec, true),
        (&without, true),
    ] {
        let (session, resumed) = connect(&mut server, options);
        assert_eq!(resumed, wanted);
        session.remember();
        end(&mut server, session);
    }
}

#[test]
fn other_trust_or_another_name_is_verified_anew() {
    let _turn = turn();
    let mut server = Server::start("server", "rsa.key", &[]);
    let good = options(server.port);
    let (session, _) = connect(&mut server, &good);
    session.remember();
    end(&mut server, session);
    let distrusting = Options {
        ca_pem: pki().read("stranger.pem").into_bytes(),
        ..options(server.port)
    };
    assert!(tls::connect(&distrusting).is_err());
    let address = Options {
        server: ServerName::parse("127.0.0.1").expect("address"),
        ..options(server.port)
    };
    let session = tls::connect(&address).expect("the certificate names the address");
    assert!(!session.info().resumed);
}

#[test]
fn a_server_that_has_forgotten_the_session_gets_a_full_handshake() {
    let _turn = turn();
    for extra in [&[][..], &["-no_ticket"]] {
        let mut first = Server::start("server", "rsa.key", extra);
        let port = first.port;
        let (session, _) = connect(&mut first, &options(port));
        session.remember();
        end(&mut first, session);
        drop(first);
        // Another certificate too: what is verified is what is shown.
        let mut second = Server::start_on(port, "server-ec", "ec.key", extra);
        let (_, resumed) = connect(&mut second, &options(port));
        assert!(!resumed, "{extra:?}");
    }
}

#[test]
fn turned_off_means_off() {
    let _turn = turn();
    let mut server = Server::start("server", "rsa.key", &[]);
    let options = options(server.port);
    let (session, _) = connect(&mut server, &options);
    session.remember();
    end(&mut server, session);
    tls::set_resumption(false);
    let (session, resumed) = connect(&mut server, &options);
    session.remember();
    end(&mut server, session);
    tls::set_resumption(true);
    assert!(!resumed);
    // Nothing was kept meanwhile, and what was there before is gone.
    let (_, resumed) = connect(&mut server, &options);
    assert!(!resumed);
}
