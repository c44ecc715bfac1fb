//! The `outcome` package, whose objects Trio's interface is made of in places.
//!
//! Imported when an object is really asked for: the loop itself has no use for it.

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;

use super::imports;

/// What a function returned or raised.
pub type Outcome = Result<Py<PyAny>, Py<PyBaseException>>;

/// An `outcome.Value` or `outcome.Error`.
pub fn to_object(py: Python<'_>, outcome: Outcome) -> PyResult<Py<PyAny>> {
    let object = match outcome {
        Ok(value) => imports::outcome_value(py)?.call1((value,))?,
        Err(error) => imports::outcome_error(py)?.call1((error,))?,
    };
    Ok(object.unbind())
}
