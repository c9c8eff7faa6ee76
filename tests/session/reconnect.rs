//! Reconnecting: when, how often, what is told, what it leaves behind.

use iotx::device::Reconnect;
use iotx::device::states::Phase;
use iotx::hal::diagnostics::{Failure, Stage};
use iotx::hal::{memory, seam};
use iotx::state;

use super::broker::Packet;
use super::hal;
use super::world::{Dial, Setting, Told, World};

fn failing(world: &World) {
    let failure = Failure::new(Stage::Connect, "refused by memory");
    world.dial(Dial::Fail(failure));
}

/// The time from here to the next attempt.
fn wait_for_attempt(world: &World) -> u64 {
    let start = seam::uptime_ms();
    let dials = world.net.lock().dials;
    while world.net.lock().dials == dials {
        world.pass(10);
        assert!(seam::uptime_ms() - start < 100_000, "no attempt");
    }
    seam::uptime_ms() - start
}

/// Waits between attempts that all fail, from a loss on, with the dice on `dice`.
fn waits(setting: Setting, dice: u32, count: usize) -> Vec<u64> {
    let world = World::online(setting);
    hal::set_dice(dice);
    failing(&world);
    assert!(world.hang_up());
    world.pass(10);
    (0..count).map(|_| wait_for_attempt(&world)).collect()
}

/// Both ends of a wait are seen at the end of a pass of 10 ms.
#[track_caller]
fn assert_near(waits: &[u64], wanted: &[u64]) {
    assert_eq!(waits.len(), wanted.len());
    for (wait, wanted) in waits.iter().zip(wanted) {
        assert!(wanted.abs_diff(*wait) < 25, "{waits:?}, not {wanted:?}");
    }
}

#[test]
fn the_wait_is_random_in_a_window_that_doubles_up_to_its_ceiling() {
    let widest = waits(Setting::default(), u32::MAX, 8);
    let ends = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
    assert_near(&widest, &ends);
    // The other end of every window is the floor: it never spins.
    let least = waits(Setting::default(), 0, 8);
    assert_near(&least, &[100; 8]);
    let between = waits(Setting::default(), 400, 3);
    assert_near(&between, &[500; 3]);
}

#[test]
fn the_rules_can_be_changed() {
    let setting = Setting {
        reconnect: Reconnect {
            first_ms: 200,
            ceiling_ms: 500,
            floor_ms: 50,
            stable_ms: 0,
        },
        ..Setting::default()
    };
    assert_near(&waits(setting, u32::MAX, 4), &[200, 400, 500, 500]);
    assert_near(&waits(setting, 0, 2), &[50, 50]);
}

/// A session that lasts `lasts` ms ends; the time until the next attempt.
fn lose_after(world: &World, lasts: u64) -> u64 {
    assert!(world.client.is_online());
    hal::advance(lasts);
    assert!(world.hang_up());
    world.pass(10);
    world.pass(10);
    assert_eq!(world.client.phase(), Phase::Waiting);
    let wait = wait_for_attempt(world);
    world.pass(10);
    wait
}

/// Two devices with one identity throw each other out again and again.
#[test]
fn short_sessions_do_not_start_the_schedule_over() {
    let world = World::online(Setting::default());
    let waits: Vec<u64> = (0..7).map(|_| lose_after(&world, 29_000)).collect();
    assert_near(
        &waits,
        &[1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].map(|w| w - 10),
    );
}

#[test]
fn a_session_that_stayed_up_starts_the_schedule_over() {
    let world = World::online(Setting::default());
    for _ in 0..4 {
        lose_after(&world, 0);
    }
    assert_near(&[lose_after(&world, 30_000)], &[990]);
    assert_near(&[lose_after(&world, 0)], &[1_990]);
}

#[test]
fn it_goes_on_for_ever_with_one_event_per_attempt_that_names_the_stage() {
    let world = World::online(Setting::default());
    let network = state::STATE_SYS_DEPEND_NWK_CLOSE;
    let stages = [
        (Stage::Resolve, network, "resolve: "),
        (Stage::Connect, network, "connect: "),
        (Stage::TlsHandshake, network, "tls: "),
        (Stage::TlsVerify, state::ERROR_CERT_VERIFY_FAIL, "verify: "),
        (Stage::TlsConfig, network, "config: "),
    ];
    assert!(world.hang_up());
    world.pass(10);
    world.pass(10);
    world.forget();
    for round in 0..60 {
        let (stage, code, word) = stages[round % stages.len()];
        world.dial(Dial::Fail(Failure::new(stage, "what went wrong")));
        wait_for_attempt(&world);
        let told = world.told();
        let wanted = Told::State(code, format!("{word}what went wrong"));
        assert_eq!(told, [wanted], "round {round}");
    }
    world.dial(Dial::Open);
    for refusal in [1, 2, 3, 4, 5, 77] {
        world.manners(|manners| manners.connack = Some(refusal));
        wait_for_attempt(&world);
        world.pass(10);
        let states = world.states();
        assert_eq!(states.len(), 1, "{states:?}");
        let word = format!("connack: code {refusal}, ");
        assert!(states[0].1.starts_with(&word), "{states:?}");
        assert!(!world.has_link());
    }
    world.manners(|manners| manners.connack = Some(0));
    wait_for_attempt(&world);
    world.pass(10);
    assert!(world.client.is_online());
    let back = Told::State(0, "reconnected".into());
    assert_eq!(world.told(), [back, Told::Reconnected]);
}

#[test]
fn a_connection_that_ends_before_connack_is_a_failed_attempt() {
    let world = World::online(Setting::default());
    world.manners(|manners| manners.connack = None);
    assert!(world.hang_up());
    world.pass(10);
    wait_for_attempt(&world);
    world.pass(10);
    world.forget();
    assert_eq!(world.client.phase(), Phase::Greeting);
    assert!(world.hang_up());
    world.pass(10);
    let text = "connack: connection closed by the server".to_owned();
    let told = world.told();
    assert_eq!(told, [Told::State(state::STATE_SYS_DEPEND_NWK_CLOSE, text)]);
    assert_eq!(world.client.phase(), Phase::Waiting);
}

#[test]
fn what_is_in_flight_goes_out_again_in_order_with_dup() {
    let world = World::online(Setting::default());
    world.manners(|manners| manners.puback = false);
    let ids: Vec<u16> = (0..3)
        .map(|number| world.publish(&[number]).expect("on-line"))
        .collect();
    for session in [true, false] {
        world.forget();
        world.manners(|manners| manners.session = session);
        world.reconnect();
        world.pass(10);
        let again: Vec<Packet> = world.sent().split_off(1);
        let wanted: Vec<Packet> = ids
            .iter()
            .zip(0..)
            .map(|(id, number)| Packet::Publish {
                dup: true,
                qos: 1,
                id: *id,
                topic: "/p".into(),
                payload: vec![number],
            })
            .collect();
        assert_eq!(again, wanted, "session {session}");
    }
}

// ---- what it leaves behind ----------------------------------------------------------------------

/// With subscriptions, messages in flight, refused and failed attempts in between.
#[test]
fn a_thousand_reconnects_leave_the_heap_as_it_was() {
    let world = World::online(Setting::default());
    world.manners(|manners| manners.puback = false);
    for filter in ["/a", "/b/+", "/c/#"] {
        world.subscribe(filter).expect("on-line");
    }
    world.publish(b"kept").expect("on-line");
    let mut after_fifty = 0;
    for round in 1..=1_000 {
        if round % 10 == 0 {
            failing(&world);
            assert!(world.hang_up());
            world.pass(10);
            wait_for_attempt(&world);
            world.dial(Dial::Open);
            wait_for_attempt(&world);
            world.pass(10);
            assert!(world.client.is_online());
        } else {
            world.reconnect();
        }
        world.pass(10);
        assert_eq!(world.client.inflight(), 1);
        world.forget();
        world.net.lock().seen.shrink_to_fit();
        let held = memory::bytes_of_thread();
        if round == 50 {
            assert!(held > 0 || !cfg!(debug_assertions), "nothing is counted");
            after_fifty = held;
        }
        if round % 50 == 0 {
            assert_eq!(held, after_fifty, "bytes held in round {round}");
        }
    }
}
