//! The `clw-gateway` binary.

fn main() -> std::process::ExitCode {
    clw_gateway::args::run(std::env::args_os(), &[])
}
