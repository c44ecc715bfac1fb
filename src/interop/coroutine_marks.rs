//! The marks by which tools recognise callables that return awaitables.

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The mark that `inspect.markcoroutinefunction` sets, from Python 3.12 on.
pub fn inspect_mark(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let bearer = py.import(intern!(py, "types"))?.getattr(intern!(py, "SimpleNamespace"))?;
    py.import(intern!(py, "inspect"))?
        .call_method1(intern!(py, "markcoroutinefunction"), (bearer.call0()?,))?
        .getattr(intern!(py, "_is_coroutine_marker"))
}

/// The mark of `asyncio.iscoroutinefunction`. Nobody who has not imported `asyncio` can want it.
pub fn asyncio_mark(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let name = intern!(py, "_is_coroutine");
    let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
    match modules.cast::<PyDict>()?.get_item(intern!(py, "asyncio.coroutines"))? {
        Some(module) => module.getattr(name),
        None => Err(PyAttributeError::new_err(name.clone().unbind())),
    }
}
