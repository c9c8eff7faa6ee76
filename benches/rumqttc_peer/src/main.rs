//! Benchmark peer on rumqttc's blocking client, with the arguments of `benches/peer.h`.

use std::process::exit;
use std::time::Instant;

use rumqttc::{Client, Connection, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport};

const TOPIC: &str = "/bench/peer/user/get";

fn fail(what: &str) -> ! {
    eprintln!("failed: {what}");
    exit(1)
}

fn open(host: &str, port: u16, ca: &str) -> (Client, Connection) {
    let mut options = MqttOptions::new(format!("rumqttc-{}", std::process::id()), host, port);
    options.set_credentials("bench", "secret");
    options.set_inflight(128);
    options.set_max_packet_size(1 << 20, 1 << 20);
    if ca != "-" {
        let Ok(ca) = std::fs::read(ca) else {
            fail("CA file")
        };
        options.set_transport(Transport::Tls(TlsConfiguration::Simple {
            ca,
            alpn: None,
            client_auth: None,
        }));
    }
    Client::new(options, 1024)
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

fn main() {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        fail("crypto provider");
    }
    let args: Vec<String> = std::env::args().collect();
    let [_, mode, host, port, ca, size, count] = args.as_slice() else {
        fail("usage: rumqttc-peer MODE HOST PORT CA_FILE|- SIZE COUNT")
    };
    let number = |text: &str| text.parse::<usize>().unwrap_or_else(|_| fail("number"));
    let (port, size, count) = (number(port) as u16, number(size), number(count));
    let payload = vec![b'x'; size];
    let is_connack = |event: &Event| matches!(event, Event::Incoming(Packet::ConnAck(_)));
    let is_message = |event: &Event| matches!(event, Event::Incoming(Packet::Publish(_)));
    let is_suback = |event: &Event| matches!(event, Event::Incoming(Packet::SubAck(_)));
    let start = Instant::now();
    let seconds = match mode.as_str() {
        "connect" => {
            for _ in 0..count {
                let (client, mut connection) = open(host, port, ca);
                until(&mut connection, is_connack);
                if client.disconnect().is_err() {
                    fail("disconnect");
                }
            }
            start.elapsed()
        }
        "pub0" | "pub1" => {
            let qos = if mode == "pub0" {
                QoS::AtMostOnce
            } else {
                QoS::AtLeastOnce
            };
            let (client, mut connection) = open(host, port, ca);
            until(&mut connection, is_connack);
            let start = Instant::now();
            let sender = std::thread::spawn(move || {
                for _ in 0..count {
                    if client
                        .publish(TOPIC, qos, false, payload.as_slice())
                        .is_err()
                    {
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
            let elapsed = start.elapsed();
            let _client = sender.join();
            elapsed
        }
        "flood" | "rtt" => {
            let (client, mut connection) = open(host, port, ca);
            until(&mut connection, is_connack);
            if client.subscribe(TOPIC, QoS::AtMostOnce).is_err() {
                fail("subscribe");
            }
            until(&mut connection, is_suback);
            if mode == "flood" {
                println!("READY");
                until(&mut connection, is_message);
                let start = Instant::now();
                let mut received = 1;
                until(&mut connection, |event| {
                    received += usize::from(is_message(event));
                    received == count
                });
                start.elapsed()
            } else {
                let start = Instant::now();
                for _ in 0..count {
                    if client
                        .publish(TOPIC, QoS::AtMostOnce, false, payload.as_slice())
                        .is_err()
                    {
                        fail("publish");
                    }
                    until(&mut connection, is_message);
                }
                start.elapsed()
            }
        }
        _ => fail("unknown mode"),
    }
    .as_secs_f64();
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
    println!(
        "{{\"mode\":\"{mode}\",\"size\":{size},\"count\":{count},\"seconds\":{seconds:.6},\
         \"per_second\":{:.1},\"rss_kb\":{rss}}}",
        count as f64 / seconds
    );
}
