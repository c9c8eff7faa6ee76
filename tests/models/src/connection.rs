//! How publishing threads, a lost connection and its successor meet: `send`, `flush`, `lose` and the end of
//! a connect attempt in `src/device/client.rs` and `session.rs`, reduced to what the threads share. The token is
//! the real one; the rest is written here a second time, so a change there belongs here as well.

use std::collections::VecDeque;

use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::turn::Turn;
use crate::{NEVER, check};

/// A message, by number, with the connection it was queued for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Message {
    number: u32,
    epoch: u64,
}

/// One connection. Breaks when it is told to, from the next write on.
struct Link {
    epoch: u64,
    state: Mutex<LinkState>,
}

#[derive(Default)]
struct LinkState {
    broken: bool,
    /// Takes no more than this many messages in one write.
    window: usize,
    written: Vec<Message>,
}

impl Link {
    fn new(epoch: u64, window: usize) -> Arc<Self> {
        Arc::new(Link {
            epoch,
            state: Mutex::new(LinkState {
                window,
                ..LinkState::default()
            }),
        })
    }

    fn write(&self, messages: &[Message]) -> Result<usize, ()> {
        let mut state = self.state.lock().expect("no panic");
        if state.broken {
            return Err(());
        }
        let count = messages.len().min(state.window);
        state.written.extend(&messages[..count]);
        Ok(count)
    }
}

struct Core {
    output: VecDeque<Message>,
    link: Option<Arc<Link>>,
    epoch: u64,
    online: bool,
}

struct Client {
    core: Mutex<Core>,
    writing: Turn,
}

#[derive(Debug, PartialEq, Eq)]
struct Lost;

impl Client {
    fn online(link: &Arc<Link>) -> Arc<Self> {
        Arc::new(Client {
            core: Mutex::new(Core {
                output: VecDeque::new(),
                link: Some(Arc::clone(link)),
                epoch: link.epoch,
                online: true,
            }),
            writing: Turn::default(),
        })
    }

    fn core(&self) -> loom::sync::MutexGuard<'_, Core> {
        self.core.lock().expect("no panic")
    }

    fn lose(&self, epoch: u64) {
        let link = {
            let mut core = self.core();
            if core.epoch != epoch {
                return;
            }
            core.online = false;
            core.output.clear();
            core.link.take()
        };
        drop(link);
    }

    fn connected(&self, link: &Arc<Link>) {
        let mut core = self.core();
        core.output.clear();
        core.link = Some(Arc::clone(link));
        core.epoch += 1;
        assert_eq!(core.epoch, link.epoch);
        core.online = true;
    }

    /// The connection that the message went to.
    fn send(&self, number: u32) -> Result<u64, Lost> {
        let epoch = {
            let mut core = self.core();
            if !core.online {
                return Err(Lost);
            }
            let epoch = core.epoch;
            core.output.push_back(Message { number, epoch });
            epoch
        };
        let written = self.flush();
        let core = self.core();
        if written.is_ok() && core.epoch == epoch && core.online {
            Ok(epoch)
        } else {
            Err(Lost)
        }
    }

    fn flush(&self) -> Result<(), Lost> {
        if self.core().output.is_empty() {
            return Ok(());
        }
        loop {
            let _token = self.writing.take(NEVER, || false).ok_or(Lost)?;
            let (messages, link, epoch) = {
                let mut core = self.core();
                if core.output.is_empty() {
                    return Ok(());
                }
                let link = core.link.clone().ok_or(Lost)?;
                let messages: Vec<_> = core.output.drain(..).collect();
                (messages, link, core.epoch)
            };
            let Ok(sent) = link.write(&messages) else {
                self.lose(epoch);
                return Err(Lost);
            };
            let mut core = self.core();
            if core.epoch != epoch || core.link.is_none() {
                return Err(Lost);
            }
            for message in messages[sent..].iter().rev() {
                core.output.push_front(*message);
            }
            if core.output.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Nothing of another connection was written, nothing twice, and each thread's messages in order.
fn written(link: &Link) -> Vec<u32> {
    let state = link.state.lock().expect("no panic");
    for message in &state.written {
        assert_eq!(message.epoch, link.epoch, "a message of another connection");
    }
    let numbers: Vec<u32> = state.written.iter().map(|message| message.number).collect();
    for (at, number) in numbers.iter().enumerate() {
        assert!(
            !numbers[..at].contains(number),
            "{number} was written twice"
        );
    }
    numbers
}

#[test]
fn what_is_accepted_is_written() {
    check(3, || {
        let link = Link::new(1, 1);
        let client = Client::online(&link);
        let other = {
            let client = Arc::clone(&client);
            thread::spawn(move || {
                assert_eq!(client.send(10), Ok(1));
                assert_eq!(client.send(11), Ok(1));
            })
        };
        assert_eq!(client.send(20), Ok(1));
        other.join().expect("no panic");
        let numbers = written(&link);
        assert_eq!(numbers.len(), 3, "{numbers:?}");
        let at = |number| numbers.iter().position(|n| *n == number);
        assert!(at(10) < at(11), "{numbers:?}");
    });
}

#[test]
fn nothing_of_a_lost_connection_reaches_the_next_one() {
    check(2, || {
        let (old, new) = (Link::new(1, 1), Link::new(2, 2));
        let client = Client::online(&old);
        let senders: Vec<_> = [10, 20]
            .into_iter()
            .map(|number| {
                let client = Arc::clone(&client);
                thread::spawn(move || client.send(number))
            })
            .collect();
        let reader = {
            let (client, old, new) = (Arc::clone(&client), Arc::clone(&old), Arc::clone(&new));
            thread::spawn(move || {
                // Finds the connection broken, gives it up and makes the next one.
                old.state.lock().expect("no panic").broken = true;
                client.lose(1);
                client.connected(&new);
            })
        };
        let results: Vec<_> = senders
            .into_iter()
            .map(|sender| sender.join().expect("no panic"))
            .collect();
        reader.join().expect("no panic");
        let (on_old, on_new) = (written(&old), written(&new));
        for (number, result) in [10, 20].into_iter().zip(results) {
            match result {
                // The connection was lost afterwards, and with it what it had not written.
                Ok(1) => {}
                Ok(epoch) => {
                    assert_eq!(epoch, 2);
                    assert!(
                        on_new.contains(&number),
                        "{number} was accepted and is nowhere"
                    );
                }
                Err(Lost) => assert!(!on_new.contains(&number), "{number} was refused and sent"),
            }
            assert!(!(on_old.contains(&number) && on_new.contains(&number)));
        }
    });
}

#[test]
fn a_writer_that_fails_gives_up_its_own_connection_only() {
    check(3, || {
        let (old, new) = (Link::new(1, 1), Link::new(2, 1));
        old.state.lock().expect("no panic").broken = true;
        let client = Client::online(&old);
        let sender = {
            let client = Arc::clone(&client);
            thread::spawn(move || client.send(10))
        };
        client.lose(1);
        client.connected(&new);
        let result = sender.join().expect("no panic");
        // However late the writer was told, the new connection stands.
        let core = client.core();
        assert!(core.online && core.epoch == 2 && core.link.is_some());
        drop(core);
        assert_eq!(written(&old), []);
        assert_eq!(written(&new) == [10], result == Ok(2));
    });
}
