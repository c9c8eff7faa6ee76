//! The connection: every pair of state and event.

use std::sync::Arc;

use iotx::device::states::{CONNECTION, Happening, Phase, Reaction};
use iotx::hal::diagnostics::{Failure, Stage};
use iotx::hal::seam;
use iotx::state;
use iotx::transport::LinkError;

use super::broker::{Packet, connack};
use super::world::{Dial, Parts, REQUEST_TIMEOUT, Setting, Told, World};

fn refused() -> Failure {
    Failure::new(Stage::Connect, "connection refused by memory")
}

/// Lets a client that is on-line get to `phase` without its link.
fn leave_online(world: &Parts, phase: Phase) {
    match phase {
        Phase::Lost => {
            assert!(world.hang_up());
            world.pass(10);
        }
        Phase::Waiting => {
            leave_online(world, Phase::Lost);
            world.pass(10);
        }
        Phase::Dialing => {
            world.dial(Dial::Pending);
            leave_online(world, Phase::Waiting);
            world.pass(1_000);
        }
        Phase::Greeting => {
            leave_online(world, Phase::Dialing);
            world.manners(|manners| manners.connack = None);
            world.dial(Dial::Open);
            world.pass(10);
        }
        Phase::Closed => world.client.close(),
        Phase::Online | Phase::Offline => {}
    }
}

/// A client in `phase`, behind a connection that was (`Offline` aside).
fn enter(phase: Phase) -> World {
    let world = match phase {
        Phase::Offline => World::new(),
        _ => World::online(Setting::default()),
    };
    leave_online(&world, phase);
    assert_eq!(world.client.phase(), phase);
    world.forget();
    world
}

/// A client in `phase` whose publisher still hangs in a write on the old link; lets the write
/// fail. `None` when there is no link on which a publisher could hang.
fn late_failure(phase: Phase) -> Option<World> {
    if phase == Phase::Offline {
        return None;
    }
    let world = World::online(Setting::default());
    let inside = world.parts();
    world.on_write(move || {
        leave_online(&inside, phase);
        assert_eq!(inside.client.phase(), phase);
        inside.forget();
        Err(LinkError::Failed("late news".into()))
    });
    assert_eq!(
        world.publish(b"hangs"),
        Err(state::STATE_SYS_DEPEND_NWK_CLOSE)
    );
    Some(world)
}

/// The first connect in its pause between two tries.
fn between_tries(tries: usize, dial: Dial) -> World {
    let world = World::new();
    world.dial(Dial::Fail(refused()));
    let net = world.net.clone();
    world.on_dial(move || {
        let mut net = net.lock();
        if net.dials == tries {
            net.dial = dial.clone();
        }
    });
    world
}

/// Makes `event` happen to a client in `phase`, if anything could make it happen.
fn happen(phase: Phase, event: Happening) -> Option<World> {
    if event == Happening::Broken {
        return late_failure(phase);
    }
    let world = match (phase, event) {
        // These two belong to the first connect, which blocks.
        (Phase::Waiting, Happening::Start) => {
            let world = between_tries(2, Dial::Open);
            assert_eq!(world.client.connect(), Ok(()));
            return Some(world);
        }
        (Phase::Waiting, Happening::GaveUp) => {
            let world = between_tries(usize::MAX, Dial::Open);
            let result = world.client.connect();
            assert_eq!(result, Err(state::STATE_SYS_DEPEND_NWK_CLOSE));
            return Some(world);
        }
        _ => enter(phase),
    };
    let source = match event {
        Happening::Start => {
            let result = world.client.connect();
            assert_eq!(result.is_ok(), phase == Phase::Offline, "{result:?}");
            // On a client that has begun before it is refused: -275 and nothing else.
            phase == Phase::Offline || result != Err(state::STATE_USER_INPUT_INVALID)
        }
        Happening::Due => {
            let waits = phase == Phase::Waiting;
            if waits {
                world.dial(Dial::Pending);
                world.pass(1_000);
            }
            waits
        }
        Happening::Opened => {
            let dialing = world.is_dialing();
            if dialing {
                world.manners(|manners| manners.connack = None);
                world.dial(Dial::Open);
                world.pass(10);
            }
            dialing
        }
        Happening::Failed if phase == Phase::Greeting => {
            world.pass(REQUEST_TIMEOUT);
            true
        }
        Happening::Failed => {
            let dialing = world.is_dialing();
            if dialing {
                world.dial(Dial::Fail(refused()));
                world.pass(10);
            }
            dialing
        }
        Happening::Accepted | Happening::Refused => {
            let code = if event == Happening::Accepted { 0 } else { 5 };
            let arrives = world.send(&connack(false, code));
            if arrives {
                world.pass(10);
            }
            arrives
        }
        Happening::Pass => {
            assert_eq!(world.pass(10) / 100, 0);
            true
        }
        Happening::Begin => {
            world.client.start();
            true
        }
        Happening::Halt => {
            world.client.stop();
            true
        }
        // Nobody is inside Construct.
        Happening::GaveUp => false,
        Happening::Request => true,
        Happening::Destroy => {
            world.client.close();
            true
        }
        Happening::Broken => unreachable!("see above"),
    };
    source.then_some(world)
}

/// What the action of a row leaves behind.
fn check(world: &World, phase: Phase, event: Happening, action: Reaction) {
    let offline = Err(state::STATE_MQTT_IN_OFFLINE_STATUS);
    let stale = Err(state::STATE_USER_INPUT_INVALID);
    match action {
        Reaction::Impossible => unreachable!("not produced"),
        Reaction::Nothing => {
            let told = world.told();
            assert_eq!(told, [], "nothing is told");
            assert!(!world.sent().contains(&Packet::Connect));
        }
        Reaction::Dial => {
            assert!(world.net.lock().dials >= 1);
            assert!(world.net.lock().seen.contains(&Phase::Dialing));
        }
        Reaction::Arm => {
            assert_eq!(world.told(), []);
            world.pass(10);
            assert!(world.client.is_online(), "due at once");
        }
        Reaction::Hang => {
            assert!(!world.has_link() && !world.is_dialing());
            let goodbye = world.sent().contains(&Packet::Disconnect);
            assert_eq!(goodbye, phase == Phase::Online);
            assert_eq!(world.told(), [], "no event");
            world.pass(60_000);
            assert_eq!(world.client.phase(), Phase::Offline, "it stays so");
        }
        Reaction::Greet => assert_eq!(world.sent(), [Packet::Connect]),
        Reaction::Report => {
            let told = world.told();
            let [Told::State(code, text)] = &told[..] else {
                panic!("one event per attempt: {told:?}");
            };
            let (wanted, word) = match (phase, event) {
                (Phase::Dialing, _) => (state::STATE_SYS_DEPEND_NWK_CLOSE, "connect: "),
                (_, Happening::Refused) => (state::STATE_MQTT_CONNACK_NOT_AUTHORIZED, "connack: "),
                _ => (state::STATE_SYS_DEPEND_NWK_TIMEOUT, "connack: "),
            };
            assert_eq!(*code, wanted);
            assert!(text.starts_with(word), "{text}");
            assert!(!world.has_link() && !world.is_dialing());
        }
        Reaction::Welcome => {
            let told = world.told();
            let wanted = Told::State(0, "reconnected".into());
            assert_eq!(told, [wanted, Told::Reconnected]);
        }
        Reaction::Drop => {
            assert!(!world.has_link());
            assert_eq!(world.told(), [], "handlers run in Yield only");
        }
        Reaction::Announce => {
            let told = world.told();
            let [
                Told::State(state::STATE_SYS_DEPEND_NWK_CLOSE, text),
                Told::Disconnected,
            ] = &told[..]
            else {
                panic!("{told:?}");
            };
            assert!(text.starts_with("disconnected: "), "{text}");
        }
        Reaction::Serve => {
            if event == Happening::Request {
                assert!(world.publish(b"x").is_ok());
                assert!(world.subscribe("/a").is_ok());
                assert!(world.unsubscribe("/a").is_ok());
                assert_eq!(world.sent().len(), 3);
            }
            assert_eq!(world.told(), []);
        }
        Reaction::Refuse | Reaction::RefuseStale => {
            let wanted = if action == Reaction::Refuse {
                offline
            } else {
                stale
            };
            if event == Happening::Request {
                let before = seam::uptime_ms();
                assert_eq!(world.publish(b"x"), wanted);
                assert_eq!(world.subscribe("/a"), wanted);
                assert_eq!(world.unsubscribe("/a"), wanted);
                assert_eq!(seam::uptime_ms(), before, "at once");
            }
            assert_eq!(world.sent(), []);
        }
        Reaction::End => {
            assert!(!world.has_link() && !world.is_dialing());
            let goodbye = world.sent().contains(&Packet::Disconnect);
            assert_eq!(goodbye, phase == Phase::Online);
            assert_eq!(world.told(), [], "no event");
        }
    }
}

/// The late news of an old link has done no harm: the attempt that was under way succeeds.
fn comes_back(world: &World, phase: Phase) {
    if matches!(phase, Phase::Closed | Phase::Online) {
        return;
    }
    world.dial(Dial::Open);
    world.manners(|manners| manners.connack = Some(0));
    if phase == Phase::Greeting {
        assert!(world.send(&connack(false, 0)));
    }
    world.pass(2_000);
    assert!(world.client.is_online(), "{phase:?}");
    let failed = |(code, text): &(i32, String)| *code != 0 && !text.starts_with("disconnected");
    assert!(!world.states().iter().any(failed));
}

#[test]
fn every_pair_of_the_connection() {
    for &phase in CONNECTION.states {
        for &event in CONNECTION.events {
            let row = CONNECTION.row(phase, event).expect("a row for each pair");
            let name = format!("{phase:?}, {event:?}: {}", row.reason);
            println!("{name}");
            let produced = happen(phase, event);
            let stale = phase == Phase::Closed && event == Happening::Start;
            if stale {
                // Refused as an impossible one is, and on purpose.
                assert_eq!(row.action, Reaction::RefuseStale);
                continue;
            }
            assert_eq!(
                produced.is_some(),
                row.action != Reaction::Impossible,
                "{name}"
            );
            let Some(world) = produced else { continue };
            // The first connect blocks, and goes on from Dialing by itself.
            let blocking = event == Happening::Start;
            if blocking {
                let seen = world.net.lock().seen.clone();
                assert!(seen.contains(&row.next), "{name}: {seen:?}");
                assert_eq!(seen.contains(&phase), phase == Phase::Waiting, "{name}");
            } else {
                assert_eq!(world.client.phase(), row.next, "{name}");
            }
            if (phase, event) == (Phase::Waiting, Happening::GaveUp) {
                // Three tries, three events, and none for giving up.
                let states = world.states();
                assert_eq!(states.len(), 3, "{states:?}");
                continue;
            }
            check(&world, phase, event, row.action);
            if event == Happening::Broken {
                comes_back(&world, phase);
            }
        }
    }
}

#[test]
fn the_table_has_one_row_per_pair_in_order() {
    let pairs = CONNECTION
        .states
        .iter()
        .flat_map(|state| CONNECTION.events.iter().map(move |event| (*state, *event)));
    let rows = CONNECTION.rows.iter().map(|row| (row.state, row.event));
    assert!(pairs.eq(rows));
}

/// The requests of another thread while an attempt is under way.
#[test]
fn another_thread_learns_at_once_that_the_client_is_off_line() {
    let world = enter(Phase::Dialing);
    let client = Arc::clone(&world.client);
    let answers = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&answers);
    world.on_dial(move || {
        let client = Arc::clone(&client);
        let before = seam::uptime_ms();
        let answer = std::thread::spawn(move || super::world::publish(&client, b"x")).join();
        let lasted = seam::uptime_ms() - before;
        noted
            .lock()
            .expect("answers")
            .push((answer.expect("joined"), lasted));
    });
    world.pass(1_000);
    let answers = answers.lock().expect("answers");
    assert!(answers.len() >= 5, "a step lasts 200 ms at most");
    for answer in answers.iter() {
        assert_eq!(*answer, (Err(state::STATE_MQTT_IN_OFFLINE_STATUS), 0));
    }
    // The hook holds the client.
    world.on_dial(|| {});
}

#[test]
fn yield_lasts_its_time_and_no_longer_in_every_state() {
    for &phase in CONNECTION.states {
        if phase == Phase::Closed {
            continue;
        }
        for ms in [1, 10, 99, 250, 1_000] {
            let world = enter(phase);
            if phase == Phase::Waiting {
                world.dial(Dial::Pending);
            }
            let lasted = world.pass(ms);
            assert!(
                (ms..=ms + 1).contains(&lasted),
                "{phase:?}: {lasted} instead of {ms}"
            );
        }
    }
}

#[test]
fn an_attempt_is_over_with_its_time_whatever_its_stages_say() {
    for (stage, word) in [
        (Stage::Resolve, "resolve"),
        (Stage::Connect, "connect"),
        (Stage::TlsHandshake, "tls"),
    ] {
        let world = enter(Phase::Dialing);
        world.net.lock().stage = stage;
        let start = seam::uptime_ms();
        while world.client.phase() == Phase::Dialing {
            world.pass(100);
            assert!(seam::uptime_ms() - start < 60_000);
        }
        let states = world.states();
        assert_eq!(states.len(), 1, "{states:?}");
        assert_eq!(states[0].0, state::STATE_SYS_DEPEND_NWK_TIMEOUT);
        let text = format!("{word}: attempt not over after 40000 ms");
        assert_eq!(states[0].1, text);
    }
}

/// A server that takes nothing any more.
#[test]
fn a_dead_server_holds_a_publisher_for_the_request_time_out_only() {
    let world = World::online(Setting::default());
    world.net.lock().takes = false;
    let before = seam::uptime_ms();
    let result = world.publish(b"x");
    let lasted = seam::uptime_ms() - before;
    assert_eq!(result, Err(state::STATE_SYS_DEPEND_NWK_CLOSE));
    assert!(
        (REQUEST_TIMEOUT..REQUEST_TIMEOUT + 10).contains(&lasted),
        "{lasted}"
    );
    assert_eq!(world.client.phase(), Phase::Lost);
    assert!(!world.has_link());
    // The next one does not wait at all.
    let before = seam::uptime_ms();
    assert_eq!(
        world.publish(b"x"),
        Err(state::STATE_MQTT_IN_OFFLINE_STATUS)
    );
    assert_eq!(seam::uptime_ms(), before);
}

#[test]
fn a_server_that_takes_no_connect_costs_the_request_time_out() {
    let world = enter(Phase::Dialing);
    world.net.lock().takes = false;
    world.dial(Dial::Open);
    let start = seam::uptime_ms();
    world.pass(REQUEST_TIMEOUT + 20);
    assert_eq!(world.client.phase(), Phase::Waiting);
    let states = world.states();
    assert_eq!(states.len(), 1, "{states:?}");
    assert_eq!(states[0].0, state::STATE_SYS_DEPEND_NWK_TIMEOUT);
    assert!(seam::uptime_ms() - start <= REQUEST_TIMEOUT + 21);
}
