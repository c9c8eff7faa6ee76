//! stub
use crate::output::{Output, Problem};
#[derive(Debug, clap::Args)]
pub struct Arguments {}
pub fn run(_: &Arguments, _: &Output) -> Result<(), Problem> { Ok(()) }
