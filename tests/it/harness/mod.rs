//! The stage: starts the real programs, and plays the people who use them.
//!
//! A test reads as a dialogue: `alice.send("PRIVMSG #lobby :hi")`, `bob.expect("PRIVMSG #lobby :hi")`, `bob.sync()`.

#![allow(unused_imports)] // each test takes what it needs from here

mod cli;
mod client;
mod line;
mod server;
mod tls;
mod web;

pub use cli::{Finished, run, signal, wait};
pub use client::{Client, MODERN, Reader, Tls, Writer};
pub use line::{Line, glob, said};
pub use server::{Entry, PEOPLE, Record, Server, Setup, login_over, password_of, sasl_payload, sasl_plain, welcome};
pub use tls::{ClientCertificate, TlsOptions, connector, fingerprint, read_certificate};
pub use web::{Socket, closed_with, http};

use std::time::Duration;

/// When a test gives up waiting. Not a measure of speed: a healthy server answers in milliseconds.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Asks `question` again and again until it has an answer; gives up after [`DEADLINE`].
#[track_caller]
pub fn eventually<T>(what: &str, question: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    let at = std::panic::Location::caller();
    async move {
        let mut question = question;
        let give_up = tokio::time::Instant::now() + DEADLINE;
        loop {
            if let Some(answer) = question().await {
                return answer;
            }
            assert!(tokio::time::Instant::now() < give_up, "{at}: waited in vain for {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
