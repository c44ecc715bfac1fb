//! Numbers that users write: sizes that may be infinite, and how many tasks to wake; and what stands for
//! yes and no.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt};

use super::fallible::raise;

/// A whole number as far as it fits: below zero becomes `None`, too large becomes the largest.
fn clamp(number: &Bound<'_, PyInt>) -> PyResult<Option<usize>> {
    if number.lt(0)? {
        return Ok(None);
    }
    Ok(Some(number.extract().unwrap_or(usize::MAX)))
}

/// A size that is an integer from 0 up, or `math.inf`; `name` and `kind` are for the errors.
pub fn size_or_infinity(size: &Bound<'_, PyAny>, name: &str, kind: &str) -> PyResult<usize> {
    let py = size.py();
    if let Ok(number) = size.cast::<PyInt>() {
        return clamp(number)?
            .ok_or_else(|| raise::<PyValueError>(py, format!("{name} must be >= 0")));
    }
    if size.eq(f64::INFINITY)? {
        return Ok(usize::MAX);
    }
    Err(raise::<PyTypeError>(py, format!("{name} must be {kind} or math.inf")))
}

/// An argument that counts as yes or no, as an `if` would have it.
pub struct Truth(pub bool);

impl<'py> FromPyObject<'_, 'py> for Truth {
    type Error = PyErr;

    #[inline]
    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        value.is_truthy().map(Self)
    }
}

/// How many tasks to wake, as an argument: an integer, or an infinity for all; an integer below
/// zero means nobody.
///
/// A bad number becomes an error when it is used, so that a method may complain about worse things
/// first.
pub struct Count(PyResult<usize>);

impl Count {
    /// A good number.
    pub fn of(number: usize) -> Self {
        Self(Ok(number))
    }

    /// The number, the largest one standing for infinity.
    pub fn get(self) -> PyResult<usize> {
        self.0
    }

    fn read(count: Borrowed<'_, '_, PyAny>) -> PyResult<usize> {
        let py = count.py();
        if let Ok(number) = count.cast::<PyInt>() {
            return Ok(clamp(&number)?.unwrap_or(0));
        }
        match count.cast::<PyFloat>().map(|number| number.value()) {
            Ok(number) if number.is_infinite() => Ok(usize::MAX),
            Ok(_) => Err(raise::<PyValueError>(py, "Cannot pop a non-integer number of tasks.")),
            Err(_) => Err(raise::<PyTypeError>(py, "must be an integer or math.inf")),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Count {
    type Error = PyErr;

    fn extract(count: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(Self::read(count)))
    }
}
