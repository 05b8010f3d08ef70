//! The binary `palaver`. Everything it does lives in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    palaver_api::run::main()
}
