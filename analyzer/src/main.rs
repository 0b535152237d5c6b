//! The `clw-analyze` binary.

fn main() -> std::process::ExitCode {
    clw_analyzer::main(std::env::args_os())
}
