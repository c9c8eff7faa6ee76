//! `iotx connect`.

pub mod host;
pub mod script;
pub mod session;
pub mod stages;

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver, TryRecvError};

use clap::Args;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::account::Account;
use crate::output::{Exit, Output, Problem};
use script::Command;
use session::Session;

/// Options of `iotx connect`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    account: Account,
    /// A command to run once connected; several are run in order (help shows which there are).
    #[arg(long = "do", value_name = "COMMAND")]
    commands: Vec<String>,
    /// File with such commands, one a line; run before those of --do.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Connect, disconnect, and connect again, to see whether the TLS session is resumed.
    #[arg(long)]
    again: bool,
    /// Read commands from standard input after the script.
    #[arg(long, short)]
    interactive: bool,
}

/// Ctrl-C and SIGTERM as a flag; a second one ends the program at once.
pub fn stop_flag() -> Result<Arc<AtomicBool>, Problem> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let fail = |error: std::io::Error| Problem::input(format!("signals: {error}"));
        let status = Exit::Interrupted as i32;
        signal_hook::flag::register_conditional_shutdown(signal, status, Arc::clone(&stop))
            .map_err(fail)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(fail)?;
    }
    Ok(stop)
}

/// Connects, shows the stages, runs the commands, disconnects.
pub fn run(arguments: &Arguments, output: &Output) -> Result<(), Problem> {
    let commands = commands(arguments)?;
    let ready = arguments.account.ready()?;
    let stop = stop_flag()?;
    stages::watch_chains();
    let place = format!("{}:{}", ready.endpoint.host, ready.endpoint.port);
    output.event(
        "connecting",
        json!({
            "host": ready.endpoint.host, "port": ready.endpoint.port, "tls": ready.endpoint.tls,
            "websocket": ready.endpoint.path, "proxy": ready.proxy.is_some(),
        }),
        &format!("connecting to {place}"),
    );
    if arguments.again {
        let mut first = Session::new(&arguments.account, &ready, output, &stop)?;
        first.connect().map_err(|error| error.problem())?;
        first.close();
        output.event("disconnected", json!({}), "disconnected; once more");
    }
    let mut session = Session::new(&arguments.account, &ready, output, &stop)?;
    session.connect().map_err(|error| error.problem())?;
    let result = follow(&commands, arguments.interactive, &mut session, output);
    session.close();
    output.event("disconnected", json!({}), "disconnected");
    result
}

fn commands(arguments: &Arguments) -> Result<Vec<Command>, Problem> {
    let mut lines = Vec::new();
    if let Some(file) = &arguments.script {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Problem::input(format!("script: cannot read {}: {error}", file.display()))
        })?;
        let name = file.display();
        lines.extend(
            text.lines()
                .enumerate()
                .map(|(number, line)| (format!("{name}, line {}", number + 1), line.to_owned())),
        );
    }
    lines.extend(
        arguments
            .commands
            .iter()
            .map(|line| ("--do".to_owned(), line.clone())),
    );
    let mut commands = Vec::new();
    for (place, line) in lines {
        let command =
            script::parse(&line).map_err(|text| Problem::input(format!("{place}: {text}")))?;
        commands.extend(command);
    }
    Ok(commands)
}

fn follow(
    commands: &[Command],
    interactive: bool,
    session: &mut Session<'_>,
    output: &Output,
) -> Result<(), Problem> {
    for command in commands {
        let result = script::run(command, session);
        if session.stopped() {
            return Err(Problem::new(Exit::Interrupted, "interrupted"));
        }
        match result {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(text) => return Err(Problem::new(Exit::Script, text)),
        }
        if matches!(command, Command::Help) {
            output.event("help", json!({"text": script::HELP}), script::HELP);
        }
    }
    if interactive {
        converse(session, output);
    }
    Ok(())
}

/// Commands from standard input until its end, `quit` or Ctrl-C. One that fails says why and is no end.
fn converse(session: &mut Session<'_>, output: &Output) {
    let prompt = std::io::stdin().is_terminal() && !output.is_json();
    let lines = read_lines();
    let show_prompt = || {
        if prompt {
            let mut out = std::io::stdout().lock();
            let _ = write!(out, "> ").and_then(|()| out.flush());
        }
    };
    show_prompt();
    while !session.stopped() {
        match lines.try_recv() {
            Err(TryRecvError::Empty) => session.look(50),
            Err(TryRecvError::Disconnected) => break,
            Ok(line) => {
                let result = match script::parse(&line) {
                    Ok(None) => Ok(true),
                    Ok(Some(Command::Help)) => {
                        output.event("help", json!({"text": script::HELP}), script::HELP);
                        Ok(true)
                    }
                    Ok(Some(command)) => script::run(&command, session),
                    Err(text) => Err(text),
                };
                match result {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(text) => {
                        output.event("command_failed", json!({"text": text}), &text);
                    }
                }
                show_prompt();
            }
        }
    }
}

fn read_lines() -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    // Ends with the program: a read from a terminal cannot be interrupted.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
