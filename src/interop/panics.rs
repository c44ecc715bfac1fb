//! Panics: that there was one, and what it said.
//!
//! A panic inside of a function that Python has called becomes an exception there. Code in Python may
//! swallow that, or put it into a group, while state of the loop was left in the middle of a change. So
//! a panic is noted when it happens, by a hook, and the loop asks its [`Witness`] after each batch: it
//! costs the comparison of two numbers.
//!
//! Notes are kept by thread. A run is not concerned with panics elsewhere, but for those in its queue of
//! calls, which that reports itself.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Once;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::errors::internal_error;
use super::fallible::{self, raise};

/// How many panics there were in this process.
static TOTAL: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The last panic of this thread: which of all it was, and what it said.
    static LAST: Cell<Option<(usize, String)>> = const { Cell::new(None) };
}

/// Has every panic noted from now on.
pub fn take_note_of_all() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let otherwise = panic::take_hook();
        panic::set_hook(Box::new(move |news| {
            note(text_of(news.payload()));
            otherwise(news);
        }));
    });
}

/// Notes a panic of this thread; also one that comes out of Python code, and may come from elsewhere.
pub fn note(text: String) {
    let number = TOTAL.fetch_add(1, Ordering::Relaxed) + 1;
    // A thread that is ending has no place for notes any more, and no use for them.
    LAST.try_with(|last| last.set(Some((number, text)))).ok();
}

/// What a panic says.
pub fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "unknown panic".to_owned())
}

/// What a panic that said `text` is to Python: `TrioInternalError`, and its cause.
#[cold]
pub fn to_error(py: Python<'_>, text: &str) -> PyErr {
    internal_error(py, raise::<PyRuntimeError>(py, format!("native code panicked: {text}")))
}

/// Does some work; a panic becomes an error. Other errors stay as they are.
pub fn surviving<T>(py: Python<'_>, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => {
            Err(fallible::behind_panic(py).unwrap_or_else(|| to_error(py, &text_of(&*panic))))
        }
    }
}

/// Knows whether the thread has panicked since it was asked last.
pub struct Witness {
    seen: usize,
}

impl Witness {
    /// Looks out from now on.
    pub fn new() -> Self {
        Self { seen: TOTAL.load(Ordering::Relaxed) }
    }

    /// # Errors
    /// `TrioInternalError` if there was a panic.
    #[inline]
    pub fn ask(&mut self, py: Python<'_>) -> PyResult<()> {
        if TOTAL.load(Ordering::Relaxed) == self.seen {
            return Ok(());
        }
        self.look_closer(py)
    }

    #[cold]
    fn look_closer(&mut self, py: Python<'_>) -> PyResult<()> {
        let seen = std::mem::replace(&mut self.seen, TOTAL.load(Ordering::Relaxed));
        match LAST.take() {
            Some((number, text)) if number > seen => Err(to_error(py, &text)),
            _ => Ok(()),
        }
    }
}
