//! The state machines of a client, every pair of each, in virtual time: a client on one side, a
//! broker written for this test on the other, memory between them. No socket, no sleep.

#[path = "session/broker.rs"]
mod broker;
#[path = "session/connection.rs"]
mod connection;
#[path = "session/document.rs"]
mod document;
#[path = "session/hal.rs"]
mod hal;
#[path = "session/messages.rs"]
mod messages;
#[path = "session/named.rs"]
mod named;
#[path = "session/reconnect.rs"]
mod reconnect;
#[path = "session/subscription.rs"]
mod subscription;
#[path = "session/world.rs"]
mod world;
