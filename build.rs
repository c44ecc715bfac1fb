//! Refuses what this crate does not support, and exposes `PyO3`'s `Py_3_x` configuration flags.
//!
//! Whoever comes here has no wheel that fits and let pip build one. So the messages are for
//! users: what is wrong, and what would work.

use pyo3_build_config::{BuildFlag, PythonImplementation};

fn main() {
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system != "linux" {
        refuse(&format!(
            "this Trio runs on Linux only, not on {system}; `pip install trio==0.35.0` from the public index works there"
        ));
    }
    let python = pyo3_build_config::get();
    let version = python.version();
    if python.implementation() != PythonImplementation::CPython {
        refuse("this Trio needs CPython; other implementations of Python can use the original");
    }
    if version.minor < 9 {
        refuse(&format!("this Trio needs CPython 3.9 or later, this is {version}"));
    }
    if python.build_flags().0.contains(&BuildFlag::Py_GIL_DISABLED) {
        refuse("this Trio does not support free-threaded builds of CPython yet; use an ordinary one, or the original Trio");
    }
    if python.executable().is_some_and(traces_references) {
        refuse("this Trio does not support builds of CPython that trace references (--with-trace-refs): objects look different there");
    }
    link_unwinder();
    pyo3_build_config::use_pyo3_cfgs();
}

/// Links the library that `TRIO_UNWINDER` names, before the linker's own unwinder.
///
/// The C library ends threads by unwinding their stacks, with its own unwinder; what unwinds
/// Rust's frames has to be the same one, not a copy inside of this extension.
fn link_unwinder() {
    println!("cargo:rerun-if-env-changed=TRIO_UNWINDER");
    if let Ok(library) = std::env::var("TRIO_UNWINDER") {
        println!("cargo:rustc-cdylib-link-arg={library}");
    }
}

/// Was the interpreter built with `--with-trace-refs`? It has a function then that it has not otherwise.
fn traces_references(executable: &str) -> bool {
    let question = ["-c", "import sys; print(hasattr(sys, 'getobjects'))"];
    let answer = std::process::Command::new(executable).args(question).output();
    answer.is_ok_and(|answer| answer.stdout.starts_with(b"True"))
}

/// End the build with one line that stands out.
fn refuse(reason: &str) -> ! {
    eprintln!("\nerror: {reason}\n");
    std::process::exit(1);
}
