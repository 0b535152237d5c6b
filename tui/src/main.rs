//! The `clw-tui` binary.

fn main() -> std::process::ExitCode {
    clw_tui::main(std::env::args_os())
}
