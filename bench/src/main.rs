//! The `clw-bench` binary.

fn main() -> std::process::ExitCode {
    clw_bench::main(std::env::args_os())
}
