//! The token alone.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

use crate::turn::Turn;
use crate::{NEVER, NOW, check};

fn never() -> bool {
    false
}

/// Enters a section that the token guards, and leaves it.
fn alone(inside: &AtomicUsize) {
    assert_eq!(
        inside.fetch_add(1, Ordering::Relaxed),
        0,
        "two have the token"
    );
    thread::yield_now();
    inside.fetch_sub(1, Ordering::Relaxed);
}

#[test]
fn one_has_it_and_everybody_gets_it() {
    check(3, || {
        let turn = Arc::new(Turn::default());
        let inside = Arc::new(AtomicUsize::new(0));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (turn, inside) = (Arc::clone(&turn), Arc::clone(&inside));
                thread::spawn(move || {
                    let token = turn.take(NEVER, never);
                    assert!(token.is_some());
                    alone(&inside);
                })
            })
            .collect();
        {
            let token = turn.take(NEVER, never);
            assert!(token.is_some());
            alone(&inside);
        }
        for other in others {
            other.join().expect("no panic");
        }
    });
}

#[test]
fn two_that_loop_take_turns_without_missing_a_wake_up() {
    check(3, || {
        let turn = Arc::new(Turn::default());
        let inside = Arc::new(AtomicUsize::new(0));
        let other = {
            let (turn, inside) = (Arc::clone(&turn), Arc::clone(&inside));
            thread::spawn(move || {
                for _ in 0..2 {
                    let token = turn.take(NEVER, never);
                    assert!(token.is_some());
                    alone(&inside);
                }
            })
        };
        for _ in 0..2 {
            let token = turn.take(NEVER, never);
            assert!(token.is_some());
            alone(&inside);
        }
        other.join().expect("no panic");
    });
}

#[test]
fn who_has_it_does_not_wait_for_it() {
    check(3, || {
        let turn = Turn::default();
        let token = turn.take(NEVER, never);
        assert!(token.is_some());
        assert!(turn.take(NEVER, never).is_none());
        drop(token);
        assert!(turn.take(NEVER, never).is_some());
    });
}

#[test]
fn time_that_is_over_is_not_waited_for() {
    check(3, || {
        let turn = Arc::new(Turn::default());
        let token = turn.take(NOW, never);
        assert!(token.is_some(), "free, so nobody looks at the clock");
        let other = {
            let turn = Arc::clone(&turn);
            thread::spawn(move || turn.take(NOW, never).is_some())
        };
        assert!(!other.join().expect("no panic"));
    });
}

/// A client that is closed: who waits comes back although the token is not given back.
#[test]
fn a_stop_reaches_who_waits() {
    check(3, || {
        let turn = Arc::new(Turn::default());
        let closed = Arc::new(AtomicBool::new(false));
        let token = turn.take(NEVER, never);
        assert!(token.is_some());
        let waiting = {
            let (turn, closed) = (Arc::clone(&turn), Arc::clone(&closed));
            thread::spawn(move || {
                turn.take(NEVER, || closed.load(Ordering::Acquire))
                    .is_some()
            })
        };
        closed.store(true, Ordering::Release);
        turn.notify();
        assert!(!waiting.join().expect("no panic"));
    });
}

/// One that waits gives up. Who waits behind it must hear of that, or it would let an absent one go first.
#[test]
fn who_gives_up_lets_the_next_one_through() {
    check(3, || {
        let turn = Arc::new(Turn::default());
        let closed = Arc::new(AtomicBool::new(false));
        let giving_up = {
            let (turn, closed) = (Arc::clone(&turn), Arc::clone(&closed));
            thread::spawn(move || drop(turn.take(NEVER, || closed.load(Ordering::Acquire))))
        };
        let stopping = {
            let (turn, closed) = (Arc::clone(&turn), Arc::clone(&closed));
            thread::spawn(move || {
                closed.store(true, Ordering::Release);
                turn.notify();
            })
        };
        for _ in 0..2 {
            assert!(turn.take(NEVER, never).is_some());
        }
        giving_up.join().expect("no panic");
        stopping.join().expect("no panic");
    });
}
