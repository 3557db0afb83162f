//! The arguments that say where something is served, and to whom.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueHint};

use super::values;

/// Where it is served, and who may look at it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Serving")]
pub struct ListenArgs {
    /// Serve on this address [default: 127.0.0.1:8000] (a port alone is on 127.0.0.1; port 0 picks a free one).
    ///
    /// Other machines can reach it only on an address that is not loopback, and that needs --token-file.
    #[arg(long, value_name = "ADDR", value_parser = values::listen_address)]
    pub listen: Option<SocketAddr>,
    /// Ask clients for the bearer token in this file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// Answer requests to this host name too (repeatable).
    ///
    /// Requests to other names are refused, so that no web page can make a browser read what is served here.
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
}

/// Whether a run is served while it goes on, and to whom.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Serving")]
#[command(mut_arg("token_file", |arg| arg.requires("serving")))]
#[command(mut_arg("host", |arg| arg.requires("serving")))]
pub struct ServingArgs {
    /// Serve a live page, /stats, /trace, /errors and more on 127.0.0.1:8000, until interrupted.
    #[arg(long)]
    pub serve: bool,
    /// Where, and to whom.
    #[command(flatten)]
    pub at: ListenArgs,
    /// End with the run, instead of serving its result until interrupted.
    #[arg(long, requires = "serving")]
    pub exit: bool,
}

/// Who may look at a follower.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Serving")]
pub struct FollowServingArgs {
    /// Serve nothing.
    #[arg(long, conflicts_with_all = ["listen", "token_file", "host"])]
    pub no_serve: bool,
    /// Where, and to whom.
    #[command(flatten)]
    pub at: ListenArgs,
}

impl ListenArgs {
    /// Where to listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or(values::SERVE_ADDRESS)
    }
}

impl ServingArgs {
    /// Where and to whom the run is served, if it is at all.
    #[must_use]
    pub fn asked_for(&self) -> Option<&ListenArgs> {
        (self.serve || self.at.listen.is_some()).then_some(&self.at)
    }
}
