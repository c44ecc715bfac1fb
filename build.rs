//! Exposes `PyO3`'s `Py_3_x` configuration flags to this crate.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
