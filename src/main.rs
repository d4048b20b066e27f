use std::process::ExitCode;

fn main() -> ExitCode {
    chatd::cli::main()
}
