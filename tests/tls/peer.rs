//! The other end of a connection: `openssl s_server`, scripted TCP peers, and a proxy between.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::pki::pki;

/// A running `openssl s_server`; killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    /// A server with `{certificate}.pem` and the key file `key`, TLS 1.2, plus `extra` arguments.
    pub fn start(certificate: &str, key: &str, extra: &[&str]) -> Server {
        let mut all = vec!["-tls1_2"];
        all.extend(extra);
        Server::with_versions(certificate, key, &all)
    }

    /// The same without a restriction of the protocol version.
    pub fn with_versions(certificate: &str, key: &str, extra: &[&str]) -> Server {
        Server::listening(0, certificate, key, extra)
    }

    /// A TLS 1.2 server on the port of an earlier one.
    pub fn start_on(port: u16, certificate: &str, key: &str, extra: &[&str]) -> Server {
        let mut all = vec!["-tls1_2"];
        all.extend(extra);
        Server::listening(port, certificate, key, &all)
    }

    fn listening(port: u16, certificate: &str, key: &str, extra: &[&str]) -> Server {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}")])
            .args(["-cert", &pki().path(&format!("{certificate}.pem"))])
            .args(["-key", &pki().path(key)])
            .args(extra)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl s_server");
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let port = loop {
            let mut line = String::new();
            let count = stdout.read_line(&mut line).expect("s_server output");
            assert!(count > 0, "s_server ended early");
            if port != 0 && line.trim() == "ACCEPT" {
                break port;
            }
            if let Some(address) = line.trim().strip_prefix("ACCEPT ") {
                let port = address.rsplit(':').next().expect("port");
                break port.parse().expect("port number");
            }
        };
        Server {
            child,
            port,
            stdin,
            stdout,
        }
    }

    /// A plain server for the good RSA certificate.
    pub fn good() -> Server {
        Server::start("server", "rsa.key", &[])
    }

    /// A server that sends every line back reversed.
    pub fn reversing() -> Server {
        Server::start("server", "rsa.key", &["-rev"])
    }

    /// Makes the server send `bytes` to the client.
    pub fn send(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin");
        stdin.write_all(bytes).expect("write to s_server");
        stdin.flush().expect("flush");
    }

    /// Makes the server end the session with close_notify.
    pub fn end_session(&mut self) {
        self.send(b"Q\n");
    }

    /// Waits until the server has printed a line with `wanted` (it prints what the client sends,
    /// among other things), and returns everything up to there.
    pub fn wait_for(&mut self, wanted: &str) -> String {
        let mut text = String::new();
        loop {
            let start = text.len();
            let count = self.stdout.read_line(&mut text).expect("s_server output");
            assert!(count > 0, "s_server ended before it printed {wanted:?}");
            if text[start..].contains(wanted) {
                return text;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A TCP peer that runs `script` on its first connection. Returns its port.
pub fn scripted(script: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            script(stream);
        }
    });
    port
}

enum Order {
    Cut,
    Inject(Vec<u8>),
    Hold,
    Release,
}

/// A TCP proxy for one connection, to do to it what no server does.
pub struct Proxy {
    pub port: u16,
    orders: Sender<Order>,
    done: Receiver<()>,
}

impl Proxy {
    /// A proxy in front of `port`.
    pub fn to(port: u16) -> Proxy {
        let (orders, todo) = channel();
        let (finished, done) = channel();
        let port = scripted(move |client| Proxy::run(client, port, &todo, &finished));
        Proxy { port, orders, done }
    }

    fn run(client: TcpStream, port: u16, todo: &Receiver<Order>, finished: &Sender<()>) {
        let server = TcpStream::connect(("127.0.0.1", port)).expect("connect to server");
        let copy = |mut from: TcpStream, mut to: TcpStream, gate: std::sync::Arc<Gate>| {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count) = from.read(&mut buffer) {
                    gate.pass();
                    if count == 0 || to.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Both);
            });
        };
        let open = std::sync::Arc::new(Gate::default());
        let upward = std::sync::Arc::new(Gate::default());
        copy(
            server.try_clone().unwrap(),
            client.try_clone().unwrap(),
            open,
        );
        copy(
            client.try_clone().unwrap(),
            server.try_clone().unwrap(),
            upward.clone(),
        );
        while let Ok(order) = todo.recv() {
            match order {
                Order::Cut => {
                    let _ = client.shutdown(Shutdown::Both);
                }
                Order::Inject(bytes) => (&client).write_all(&bytes).expect("inject"),
                Order::Hold => upward.set(true),
                Order::Release => upward.set(false),
            }
            let _ = finished.send(());
        }
        upward.set(false);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }

    fn order(&self, order: Order) {
        self.orders.send(order).expect("proxy");
        self.done.recv().expect("proxy");
    }

    /// Ends the TCP connection to the client, without anything of TLS.
    pub fn cut(&self) {
        self.order(Order::Cut);
    }

    /// Sends `bytes` to the client as if the server had.
    pub fn inject(&self, bytes: &[u8]) {
        self.order(Order::Inject(bytes.to_vec()));
    }

    /// Stops taking data from the client.
    pub fn hold(&self) {
        self.order(Order::Hold);
    }

    /// Goes on taking data from the client.
    pub fn release(&self) {
        self.order(Order::Release);
    }
}

#[derive(Default)]
struct Gate {
    closed: std::sync::Mutex<bool>,
    changed: std::sync::Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut closed = self.closed.lock().unwrap();
        while *closed {
            closed = self.changed.wait(closed).unwrap();
        }
    }

    fn set(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.changed.notify_all();
    }
}
