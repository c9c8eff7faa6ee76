//! Benchmark peer on rumqttc's blocking client; modes and result as `benches/peer.h` says.

use std::process::exit;
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport};

const TOPIC: &str = "/bench/peer/user/get";

fn fail(what: &str) -> ! {
    eprintln!("failed: {what}");
    exit(1)
}

/// What is measured, and since when.
struct Measured {
    started: Instant,
    cpu_started: f64,
    each: Vec<f64>,
}

impl Measured {
    fn begin() -> Self {
        Measured {
            started: Instant::now(),
            cpu_started: cpu_seconds(),
            each: Vec::new(),
        }
    }
}

/// Processor seconds of this process, all threads.
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one timespec.
    if unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) } != 0 {
        fail("clock");
    }
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

struct Peer<'a> {
    host: &'a str,
    port: u16,
    ca: &'a str,
    identity: Option<(&'a str, &'a str)>,
}

impl Peer<'_> {
    fn open(&self) -> (Client, Connection) {
        let name = format!("rumqttc-{}", std::process::id());
        let mut options = MqttOptions::new(name, self.host, self.port);
        options.set_credentials("bench", "secret");
        options.set_inflight(128);
        options.set_max_packet_size(1 << 20, 1 << 20);
        let file = |path: &str| std::fs::read(path).unwrap_or_else(|_| fail("file"));
        if self.ca != "-" {
            options.set_transport(Transport::Tls(TlsConfiguration::Simple {
                ca: file(self.ca),
                alpn: None,
                client_auth: self.identity.map(|(cert, key)| (file(cert), file(key))),
            }));
        }
        let mut network = rumqttc::NetworkOptions::new();
        network.set_tcp_nodelay(true);
        let (client, mut connection) = Client::new(options, 1024);
        connection.eventloop.set_network_options(network);
        until(&mut connection, |event| {
            matches!(event, Event::Incoming(Packet::ConnAck(_)))
        });
        (client, connection)
    }
}

/// Runs the event loop until `done` says so.
fn until(connection: &mut Connection, mut done: impl FnMut(&Event) -> bool) {
    for event in connection.iter() {
        match event {
            Ok(event) if done(&event) => return,
            Ok(_) => {}
            Err(error) => fail(&error.to_string()),
        }
    }
}

fn publishing(peer: &Peer<'_>, qos: QoS, count: usize, payload: Vec<u8>) -> Measured {
    let (client, mut connection) = peer.open();
    let measured = Measured::begin();
    let sender = std::thread::spawn(move || {
        for _ in 0..count {
            let sent = client.publish(TOPIC, qos, false, payload.as_slice());
            if sent.is_err() {
                fail("publish");
            }
        }
        client
    });
    let mut done = 0;
    until(&mut connection, |event| {
        let counts = match event {
            Event::Outgoing(rumqttc::Outgoing::Publish(_)) => qos == QoS::AtMostOnce,
            Event::Incoming(Packet::PubAck(_)) => true,
            _ => false,
        };
        done += usize::from(counts);
        done == count
    });
    let _client = sender.join();
    measured
}

fn receiving(peer: &Peer<'_>, flood: bool, count: usize, payload: &[u8]) -> Measured {
    let is_message = |event: &Event| matches!(event, Event::Incoming(Packet::Publish(_)));
    let (client, mut connection) = peer.open();
    if client.subscribe(TOPIC, QoS::AtMostOnce).is_err() {
        fail("subscribe");
    }
    until(&mut connection, |event| {
        matches!(event, Event::Incoming(Packet::SubAck(_)))
    });
    if flood {
        println!("READY");
        until(&mut connection, is_message);
        let measured = Measured::begin();
        let mut received = 1;
        until(&mut connection, |event| {
            received += usize::from(is_message(event));
            received == count
        });
        return measured;
    }
    let mut measured = Measured::begin();
    for _ in 0..count {
        let asked = Instant::now();
        if client
            .publish(TOPIC, QoS::AtMostOnce, false, payload)
            .is_err()
        {
            fail("publish");
        }
        until(&mut connection, is_message);
        measured.each.push(asked.elapsed().as_secs_f64());
    }
    measured
}

fn main() {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        fail("crypto provider");
    }
    let args: Vec<String> = std::env::args().collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (mode, host, port, ca, size, count, identity) = match args.as_slice() {
        [_, mode, host, port, ca, size, count] => (*mode, *host, port, *ca, size, count, None),
        [_, mode, host, port, ca, size, count, cert, key] => {
            (*mode, *host, port, *ca, size, count, Some((*cert, *key)))
        }
        _ => fail("usage: rumqttc-peer MODE HOST PORT CA_FILE|- SIZE COUNT [CERT_FILE KEY_FILE]"),
    };
    let number = |text: &str| {
        text.parse::<usize>()
            .unwrap_or_else(|_| fail("not a number"))
    };
    let (port, size, count) = (number(port) as u16, number(size), number(count));
    let peer = Peer {
        host,
        port,
        ca,
        identity,
    };
    let payload = vec![b'x'; if mode == "idle" { 0 } else { size }];
    let mut measured = match mode {
        "connect" => {
            let mut measured = Measured::begin();
            for _ in 0..count {
                let started = Instant::now();
                let (client, mut connection) = peer.open();
                measured.each.push(started.elapsed().as_secs_f64());
                if client.disconnect().is_err() {
                    fail("disconnect");
                }
                // Until the packet is out; the end of the connection is an error to the loop.
                let _ = connection.iter().take(2).count();
            }
            measured
        }
        "pub0" => publishing(&peer, QoS::AtMostOnce, count, payload),
        "pub1" => publishing(&peer, QoS::AtLeastOnce, count, payload),
        "flood" | "rtt" => receiving(&peer, mode == "flood", count, &payload),
        "idle" => {
            let (_client, mut connection) = peer.open();
            let measured = Measured::begin();
            let end = measured.started + Duration::from_millis(size as u64);
            loop {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                let _ = connection.recv_timeout(left);
            }
            measured
        }
        _ => fail("unknown mode"),
    };
    let seconds = measured.started.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - measured.cpu_started;
    let rss = std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| {
            let line = text
                .lines()
                .find(|line| line.starts_with("VmHWM:"))?
                .to_owned();
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .unwrap_or(0);
    let mut times = String::new();
    if !measured.each.is_empty() {
        measured.each.sort_by(f64::total_cmp);
        let at = |share: usize| 1e6 * measured.each[measured.each.len() * share / 100];
        times = format!(",\"p50_us\":{:.2},\"p99_us\":{:.2}", at(50), at(99));
    }
    println!(
        "{{\"mode\":\"{mode}\",\"size\":{size},\"count\":{count},\"seconds\":{seconds:.6},\
         \"cpu\":{cpu:.6},\"rss_kb\":{rss}{times}}}"
    );
}
