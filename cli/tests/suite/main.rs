//! The program against the local platform: every test starts `iotx` as a process and reads what it says.

mod connect;
mod doctor;
mod register;
mod support;
