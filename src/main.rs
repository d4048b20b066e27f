//! The server and its administration: see [`chatd::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    chatd::cli::main()
}
