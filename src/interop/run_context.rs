//! Which run the current thread is in.
//!
//! Python code sees a `threading.local`, `GLOBAL_RUN_CONTEXT`, whose attribute `runner` is the run
//! of this thread, and some programs swap the content of its `__dict__` to nest runs on one thread.
//! The dictionary is therefore the only truth. A thread-local of ours remembers where this thread's
//! dictionary is, so that a look-up costs one hash probe.
//!
//! Where the interpreter can watch dictionaries (3.12 and later), even the probe is saved: the last
//! answer holds for as long as no watched dictionary has changed. [`GENERATION`] counts the changes.

use std::cell::RefCell;
#[cfg(Py_3_12)]
use std::ffi::c_int;
use std::ptr::null_mut;
#[cfg(Py_3_12)]
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::cell::LoopValue;
use super::this_thread;

thread_local! {
    static NAMESPACE: Home = const { Home(RefCell::new(None)) };
}

/// A thread's dictionary. Ends all answers when the thread does, as a later thread may get its identity.
struct Home(RefCell<Option<Py<PyDict>>>);

impl Drop for Home {
    fn drop(&mut self) {
        void_answers();
    }
}

/// The last answer: who asked, in which generation, and what was found. Not a reference of its own: the
/// dictionary holds one for as long as it does not change.
#[derive(Clone, Copy)]
struct Answer {
    thread: usize,
    generation: usize,
    object: *mut ffi::PyObject,
}

impl Answer {
    const VOID: Self = Self { thread: 0, generation: 0, object: null_mut() };
}

// SAFETY: the pointer is only followed by the thread that asked, with the interpreter lock held.
unsafe impl Send for Answer {}

static ANSWER: LoopValue<Answer> = LoopValue::new(Answer::VOID);

#[cfg(Py_3_12)]
extern "C" {
    /// Public since CPython 3.12; PyO3 has no binding for it.
    fn PyDict_AddWatcher(callback: Watcher) -> c_int;
}

/// `PyDict_WatchCallback`: the kind of event, the dictionary, the key and the new value.
#[cfg(Py_3_12)]
type Watcher = unsafe extern "C" fn(
    c_int,
    *mut ffi::PyObject,
    *mut ffi::PyObject,
    *mut ffi::PyObject,
) -> c_int;

/// Counts changes of watched dictionaries. Zero means that nothing is watched and no answer holds.
#[cfg(Py_3_12)]
static GENERATION: AtomicUsize = AtomicUsize::new(0);

/// The generation of answers given now; zero if they cannot be reused.
#[inline]
fn generation() -> usize {
    #[cfg(Py_3_12)]
    return GENERATION.load(Ordering::Relaxed);
    #[cfg(not(Py_3_12))]
    0
}

/// Makes sure that nobody believes an answer given before.
fn void_answers() {
    #[cfg(Py_3_12)]
    if generation() != 0 {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
}

/// Remembers the `__dict__` that `GLOBAL_RUN_CONTEXT` has in this thread, and returns it.
pub fn attach<'py>(local: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = local.py();
    let namespace = local.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
    let old = NAMESPACE.with(|home| home.0.replace(Some(namespace.clone().unbind())));
    ANSWER.set(py, Answer::VOID);
    drop(old);
    #[cfg(Py_3_12)]
    watch(&namespace)?;
    Ok(namespace)
}

/// Has changes of the dictionary counted.
#[cfg(Py_3_12)]
fn watch(namespace: &Bound<'_, PyDict>) -> PyResult<()> {
    use pyo3::sync::PyOnceLock;

    static WATCHER: PyOnceLock<i32> = PyOnceLock::new();
    let py = namespace.py();
    // SAFETY: the callback lives as long as the process and does what a watcher may do.
    let watcher = *WATCHER.get_or_init(py, || unsafe { PyDict_AddWatcher(changed) });
    if watcher < 0 {
        // All watchers of the interpreter are taken: probe every time.
        drop(PyErr::take(py));
        return Ok(());
    }
    // SAFETY: the watcher is registered, and the object is a dictionary.
    if unsafe { ffi::PyDict_Watch(watcher, namespace.as_ptr()) } < 0 {
        return Err(PyErr::fetch(py));
    }
    GENERATION.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Called before a watched dictionary changes.
#[cfg(Py_3_12)]
unsafe extern "C" fn changed(
    _event: c_int,
    _dict: *mut ffi::PyObject,
    _key: *mut ffi::PyObject,
    _value: *mut ffi::PyObject,
) -> c_int {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    0
}

/// The object under `name` in this thread's run context. Always ask for the same name.
#[inline]
pub fn lookup<'py>(py: Python<'py>, name: &Bound<'py, PyString>) -> Option<Bound<'py, PyAny>> {
    let now = generation();
    let answer = ANSWER.get(py);
    if now != 0 && answer.generation == now && answer.thread == this_thread::identity() {
        // SAFETY: null, or an object to which the unchanged dictionary holds a reference.
        return unsafe { Bound::from_borrowed_ptr_or_opt(py, answer.object) };
    }
    probe(py, name, now)
}

fn probe<'py>(
    py: Python<'py>,
    name: &Bound<'py, PyString>,
    now: usize,
) -> Option<Bound<'py, PyAny>> {
    NAMESPACE.with(|home| {
        let home = home.0.borrow();
        let namespace = home.as_ref()?.bind(py);
        // SAFETY: dictionary and key are alive; the borrowed result is turned into a new reference
        // at once. The key is a `str`, so the probe runs no Python code.
        let found = unsafe {
            Bound::from_borrowed_ptr_or_opt(
                py,
                ffi::PyDict_GetItemWithError(namespace.as_ptr(), name.as_ptr()),
            )
        };
        let object = found.as_ref().map_or(null_mut(), Bound::as_ptr);
        let thread = this_thread::identity();
        ANSWER.set(py, Answer { thread, generation: now, object });
        found
    })
}
