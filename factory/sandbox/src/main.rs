//! The helper that becomes a sandbox: started by the library `sandbox`, never by a person.
//!
//! Standard input is the control socket. See `helper` in the library for what happens next.

fn main() -> std::process::ExitCode {
    factory_sandbox::helper::main()
}
