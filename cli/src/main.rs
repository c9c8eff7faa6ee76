//! `iotx`: the command-line tool. One folder per command; [`output`] and [`account`] are shared.

mod account;
mod connect;
mod doctor;
mod log;
mod output;
mod register;
mod secret;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::Output;

/// Connects devices to the platform, registers them, and finds out why one does not connect.
#[derive(Parser)]
#[command(name = "iotx", version)]
struct Cli {
    /// Write one JSON object a line instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Write the log of the library to standard error.
    #[arg(long, short, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Connect and show each stage; then subscribe, publish, answer RRPC.
    Connect(Box<connect::Arguments>),
    /// Register a device dynamically and keep its secret or token in a file.
    Register(Box<register::Arguments>),
    /// Find out why a device does not connect.
    Doctor(Box<doctor::Arguments>),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::install(cli.verbose);
    let output = Output::new(cli.json);
    let result = match &cli.command {
        Command::Connect(arguments) => connect::run(arguments, &output),
        Command::Register(arguments) => register::run(arguments, &output),
        Command::Doctor(arguments) => doctor::run(arguments, &output),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            output.problem(&problem);
            problem.exit.into()
        }
    }
}
