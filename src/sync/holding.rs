//! What is acquired and released: the methods that such primitives have in common.

use pyo3::prelude::*;
use pyo3::PyClass;

use crate::interop::async_method::{ignoring, AsyncMethod, Direct};
use crate::trap::{Awaitable, NewAwaitable};

/// A class whose objects can be held for the duration of an `async with` block.
pub trait Holdable: PyClass {
    /// Its method `acquire`.
    fn take(held: &Bound<'_, Self>) -> NewAwaitable;

    /// Its method `release`.
    fn give_back(held: &Bound<'_, Self>) -> PyResult<()>;
}

/// The end of an `async with` block.
pub fn leave<T: Holdable>(held: &Bound<'_, T>) -> PyResult<Py<Awaitable>> {
    T::give_back(held)?;
    Awaitable::done(held.py())
}

/// Makes the class's methods quick to call, with `others` that are asynchronous, too.
pub fn prepare<T: Holdable>(py: Python<'_>, others: &[(&str, Option<Direct>)]) -> PyResult<()> {
    let take: Direct = |held, given| ignoring::<0, T, _>(held, given, |held| Ok(T::take(held)));
    let leave: Direct = |held, given| ignoring::<3, T, _>(held, given, leave);
    let methods = [("acquire", Some(take)), ("__aenter__", Some(take)), ("__aexit__", Some(leave))];
    AsyncMethod::install::<T>(py, &methods)?;
    AsyncMethod::install::<T>(py, others)
}
