//! State that belongs to whoever holds the interpreter lock.
//!
//! The scheduler's objects are visible to Python, so PyO3 wants them to be `Sync`; yet the lock
//! already makes access exclusive, and a mutex or a reference count per access would cost more than
//! the work itself. [`LoopCell`] hands out access against a [`Python`] token and checks at run time
//! that accesses do not nest; [`LoopValue`] is the version for plain `Copy` data, and [`LoopRef`] the one
//! for a single reference.
//!
//! Two rules for users, on which the absence of panics (not of unsoundness) rests: never call Python
//! inside [`LoopCell::with`], and never drop a Python reference there. Move values out instead.

use std::cell::{Cell, UnsafeCell};

use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::{PyClass, PyTraverseError, PyVisit};

use super::gc::Trace;
use super::prefetch::prefetch_any;

/// A value that is borrowed for the duration of a closure.
pub struct LoopCell<T> {
    busy: Cell<bool>,
    value: UnsafeCell<T>,
}

// SAFETY: shared access goes through `with`, which takes a `Python` token, or `inspect`, which takes
// a `PyVisit`. Both exist only on the thread that holds the interpreter lock (free-threaded builds
// are refused at compile time), so no two threads are ever inside at the same instant. A closure that
// lets go of the lock leaves `busy` set, and a second thread that comes then panics or gives up.
unsafe impl<T: Send> Sync for LoopCell<T> {}

struct Busy<'a>(&'a Cell<bool>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<T> LoopCell<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self { busy: Cell::new(false), value: UnsafeCell::new(value) }
    }

    /// Runs `f` with exclusive access.
    ///
    /// # Panics
    /// If `f`, directly or through Python, comes back to the same cell.
    #[inline]
    pub fn with<R>(&self, _py: Python<'_>, f: impl FnOnce(&mut T) -> R) -> R {
        assert!(!self.busy.replace(true), "nested access to scheduler state");
        let _busy = Busy(&self.busy);
        // SAFETY: the interpreter lock is held (see `Sync`) and `busy` was clear, so this is the
        // only reference to the value until `_busy` is dropped.
        f(unsafe { &mut *self.value.get() })
    }

    /// Like [`LoopCell::with`] for the garbage collector: skips a cell that is in use.
    pub fn inspect<R>(&self, _visit: PyVisit<'_>, f: impl FnOnce(&T) -> R) -> Option<R> {
        if self.busy.replace(true) {
            return None;
        }
        let _busy = Busy(&self.busy);
        // SAFETY: the collector runs with the interpreter lock held, and `busy` was clear.
        Some(f(unsafe { &*self.value.get() }))
    }

    /// Takes the value out where nobody uses the cell: for `tp_clear`, which has no token.
    pub fn take_unused(&self) -> Option<T>
    where
        T: Default,
    {
        if self.busy.replace(true) {
            return None;
        }
        let _busy = Busy(&self.busy);
        // SAFETY: as in `inspect`; `tp_clear` is called by the collector, which holds the lock.
        Some(std::mem::take(unsafe { &mut *self.value.get() }))
    }

    /// Puts a new value in and hands out the old one.
    #[inline]
    pub fn replace(&self, py: Python<'_>, value: T) -> T {
        self.with(py, |slot| std::mem::replace(slot, value))
    }

    /// Takes the value and leaves the default.
    #[inline]
    pub fn take(&self, py: Python<'_>) -> T
    where
        T: Default,
    {
        self.with(py, std::mem::take)
    }
}

impl<T> LoopCell<Py<T>> {
    /// A new reference to the object inside.
    #[inline]
    pub fn get(&self, py: Python<'_>) -> Py<T> {
        self.with(py, |object| object.clone_ref(py))
    }
}

/// A place for a reference, or none. Needs no check for nested access: nothing foreign runs while it is
/// read or written.
pub struct LoopRef<T>(UnsafeCell<Option<Py<T>>>);

// SAFETY: shared access takes a `Python` token or a `PyVisit`, see `LoopCell`. No method calls Python or
// drops a reference while it uses the value, so that no access is nested in another one.
unsafe impl<T> Sync for LoopRef<T> {}

impl<T> LoopRef<T> {
    /// Wraps a reference.
    pub const fn new(object: Option<Py<T>>) -> Self {
        Self(UnsafeCell::new(object))
    }

    /// A new reference to the object inside, if there is one.
    #[inline]
    pub fn get(&self, py: Python<'_>) -> Option<Py<T>> {
        // SAFETY: nobody else has access at the same time (see `Sync`), and counting a reference runs no
        // foreign code.
        unsafe { (*self.0.get()).as_ref().map(|object| object.clone_ref(py)) }
    }

    /// Is there an object inside?
    #[inline]
    pub fn is_some(&self, _py: Python<'_>) -> bool {
        // SAFETY: as in `get`.
        unsafe { (*self.0.get()).is_some() }
    }

    /// Is it this object that is inside?
    #[inline]
    pub fn holds(&self, _py: Python<'_>, object: &T) -> bool
    where
        T: PyClass<Frozen = True> + Sync,
    {
        // SAFETY: as in `get`.
        unsafe { (*self.0.get()).as_ref().is_some_and(|inside| std::ptr::eq(inside.get(), object)) }
    }

    /// Has the object fetched into the processor's caches.
    #[inline]
    pub fn prefetch(&self, _py: Python<'_>) {
        // SAFETY: as in `get`.
        unsafe { (*self.0.get()).as_ref().map(prefetch_any) };
    }

    /// The place, for whoever owns the object that it is in.
    #[inline]
    pub fn get_mut(&mut self) -> &mut Option<Py<T>> {
        self.0.get_mut()
    }

    /// Puts another object in and hands out the old one.
    #[inline]
    pub fn replace(&self, _py: Python<'_>, object: Option<Py<T>>) -> Option<Py<T>> {
        // SAFETY: as in `get`; moving references runs no code at all.
        unsafe { std::mem::replace(&mut *self.0.get(), object) }
    }

    /// Takes the object out.
    #[inline]
    pub fn take(&self, py: Python<'_>) -> Option<Py<T>> {
        self.replace(py, None)
    }

    /// Puts another object in, and drops the reference to the old one afterwards.
    #[inline]
    pub fn put(&self, py: Python<'_>, object: Option<Py<T>>) {
        discard(py, self.replace(py, object));
    }
}

impl<T> Trace for LoopRef<T> {
    #[inline]
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector runs with the interpreter lock held, and its visitors run no foreign code.
        unsafe { (*self.0.get()).trace(visit) }
    }

    fn release(&self) {
        // SAFETY: `tp_clear` is called with the lock held; the reference is dropped when it is outside.
        let object = unsafe { (*self.0.get()).take() };
        drop(object);
    }
}

/// Drops a reference where it is known that the interpreter lock is held; what `drop` has to find out.
#[inline]
pub fn discard<T>(py: Python<'_>, object: Option<Py<T>>) {
    if let Some(object) = object {
        object.drop_ref(py);
    }
}

/// A plain value that is read and written against the interpreter lock.
pub struct LoopValue<T: Copy>(Cell<T>);

// SAFETY: `get` and `set` take a `Python` token, so the lock serialises them; see `LoopCell`.
unsafe impl<T: Copy + Send> Sync for LoopValue<T> {}

impl<T: Copy> LoopValue<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(Cell::new(value))
    }

    /// The value.
    #[inline]
    pub fn get(&self, _py: Python<'_>) -> T {
        self.0.get()
    }

    /// The value, for whoever owns the object.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// The value, for what the garbage collector calls: it holds the lock, but has no token for all of it.
    #[inline]
    pub fn inspect(&self) -> T {
        self.0.get()
    }

    /// Replaces the value.
    #[inline]
    pub fn set(&self, _py: Python<'_>, value: T) {
        self.0.set(value);
    }
}
