//! How tests lay hands on the tripwires of a build that has them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::kernel::tripwires::{arm, disarm, PLACES};

/// The places that have a tripwire.
#[pyfunction]
fn _tripwires() -> Vec<&'static str> {
    PLACES.to_vec()
}

/// Have whoever comes to a place panic, once, after so many others have passed.
#[pyfunction]
#[pyo3(signature = (place, spared = 0))]
fn _arm_tripwire(place: &str, spared: usize) -> PyResult<()> {
    if arm(place, spared) {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("there is no tripwire where {place}")))
}

/// Take the tripwire away that is armed, and tell whether there was one.
#[pyfunction]
fn _disarm_tripwire() -> bool {
    disarm()
}

/// Puts the functions into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(_tripwires, module)?)?;
    module.add_function(wrap_pyfunction!(_arm_tripwire, module)?)?;
    module.add_function(wrap_pyfunction!(_disarm_tripwire, module)?)
}
