//! Memory of short-lived objects, kept for the next one of its class.
//!
//! An `await` makes an object, uses it twice and drops it. Allocation, collector bookkeeping and the
//! generic deallocation path together cost more than what the object does, so classes that are made
//! all the time keep a few dead objects' memory, as CPython does for its own short-lived types.
//!
//! An object in the pool has no content, no reference to its type and no collector tracking; only its
//! memory and layout remain. [`make`] brings it back with fresh content.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::NonNull;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::{Borrowed, PyClass, PyClassInitializer};

use super::cell::LoopCell;
use crate::kernel::tripwires::tripwire;

/// How many dead objects a class keeps.
const CAPACITY: usize = 1024;

struct Dead(NonNull<ffi::PyObject>);

// SAFETY: the pointer is only used by whoever holds the interpreter lock, see `Pool::spare`.
unsafe impl Send for Dead {}

/// The dead objects of one class.
pub struct Pool {
    spare: LoopCell<Vec<Dead>>,
}

impl Pool {
    /// An empty pool.
    pub const fn new() -> Self {
        Self { spare: LoopCell::new(Vec::new()) }
    }
}

/// A class whose objects are pooled. It must be frozen and final.
pub trait Pooled: PyClass<Frozen = True> + Sync + Into<PyClassInitializer<Self>> {
    /// The pool of this class.
    fn pool() -> &'static Pool;

    /// Is nothing left in a dead object that refers to Python objects? May drop what there is (with the
    /// token, which costs less than without), and may say no to be safe.
    fn is_hollow(&mut self, py: Python<'_>) -> bool {
        let _ = py;
        false
    }
}

/// Makes a class [`Pooled`]; optionally names the method that does what `is_hollow` promises.
macro_rules! pooled {
    ($class:ty $(, hollow: $is_hollow:ident)?) => {
        impl $crate::interop::pool::Pooled for $class {
            #[inline]
            fn pool() -> &'static $crate::interop::pool::Pool {
                static POOL: $crate::interop::pool::Pool = $crate::interop::pool::Pool::new();
                &POOL
            }

            $(
                #[inline]
                fn is_hollow(&mut self, py: pyo3::Python<'_>) -> bool {
                    self.$is_hollow(py)
                }
            )?
        }
    };
}
pub(crate) use pooled;

/// Lets dead objects of `T` go to its pool. Call once, before the first object is made.
pub fn install<T: Pooled>(py: Python<'_>) {
    // SAFETY: the type object is alive for ever, nobody else uses it yet, and `bury` fulfils the
    // contract of the slot for objects that are exactly of this (final) type.
    unsafe { (*T::type_object_raw(py)).tp_dealloc = Some(bury::<T>) };
}

/// A new object; from the pool, if it has one to spare.
#[inline]
pub fn make<T: Pooled>(py: Python<'_>, content: T) -> PyResult<Bound<'_, T>> {
    match revive(py, content) {
        Ok(object) => {
            // SAFETY: the object is complete, and in its second life nobody has tracked it so far.
            unsafe { ffi::PyObject_GC_Track(object.as_ptr().cast()) };
            Ok(object)
        }
        Err(content) => Bound::new(py, content),
    }
}

/// Like [`make`], for content that refers to no Python object and never will: the collector need not
/// look at it.
#[inline]
pub fn make_untracked<T: Pooled>(py: Python<'_>, content: T) -> PyResult<Bound<'_, T>> {
    revive(py, content).or_else(|content| {
        let object = Bound::new(py, content)?;
        // SAFETY: the object is alive, and tracked by its allocation.
        unsafe { ffi::PyObject_GC_UnTrack(object.as_ptr().cast()) };
        Ok(object)
    })
}

/// Does the collector not look at the object?
#[inline]
pub fn is_untracked<T>(object: &Bound<'_, T>) -> bool {
    // SAFETY: a question about a live object.
    unsafe { ffi::PyObject_GC_IsTracked(object.as_ptr()) == 0 }
}

/// Makes an object out of a dead one's memory; gives the content back if there is none.
#[inline]
fn revive<T: Pooled>(py: Python<'_>, content: T) -> Result<Bound<'_, T>, T> {
    let Some(Dead(object)) = T::pool().spare.with(py, Vec::pop) else { return Err(content) };
    // SAFETY: the memory was an object of exactly this class, was emptied by `bury`, and is ours alone.
    unsafe {
        ffi::PyObject_Init(object.as_ptr(), T::type_object_raw(py));
        std::ptr::write(content_of::<T>(py, object.as_ptr()), content);
        Ok(Bound::from_owned_ptr(py, object.as_ptr()).cast_into_unchecked())
    }
}

/// Where an object keeps its Rust value.
///
/// # Safety
/// `object` has the layout of a `T`.
#[inline]
unsafe fn content_of<T: Pooled>(py: Python<'_>, object: *mut ffi::PyObject) -> *mut T {
    // SAFETY: guaranteed by the caller. Only the address is taken; whether the value is initialised
    // does not matter.
    let borrowed = unsafe { Borrowed::from_ptr(py, object).cast_unchecked::<T>() };
    std::ptr::from_ref::<T>(borrowed.get()).cast_mut()
}

/// Takes the object's `__dict__` away, if its class has them.
///
/// # Safety
/// `object` is a dead object of exactly `class`, which nobody else can reach.
unsafe fn drop_dict(class: *mut ffi::PyTypeObject, object: *mut ffi::PyObject) {
    // SAFETY: a positive offset is where objects of the class keep the pointer to their dictionary,
    // which is null or an owned reference. It is emptied before the reference is given up.
    unsafe {
        let Ok(offset @ 1..) = usize::try_from((*class).tp_dictoffset) else { return };
        let slot = object.byte_add(offset).cast::<*mut ffi::PyObject>();
        let dict = std::ptr::replace(slot, std::ptr::null_mut());
        ffi::Py_XDECREF(dict);
    }
}

/// `tp_dealloc`: drops the content, and keeps the memory if there is room.
unsafe extern "C" fn bury<T: Pooled>(object: *mut ffi::PyObject) {
    // SAFETY: the interpreter passes a dead object of exactly this class, with the lock held. Weak
    // references are cleared before the content goes, as they would see it otherwise. Attaching once
    // more is for the references inside: PyO3 postpones the drop of those that it does not know to be
    // dropped with the lock held. While the interpreter shuts down it refuses; the lock is held all the
    // same. The object is buried once, by whichever of the calls happens.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        clear_weak_references(object);
        let py = Python::assume_attached();
        if (*content_of::<T>(py, object)).is_hollow(py)
            || Python::try_attach(|py| bury_attached::<T>(py, object)).is_none()
        {
            bury_attached::<T>(py, object);
        }
    }
}

/// Tells those who refer weakly to an object that it dies.
///
/// # Safety
/// `object` is a dead object whose content is still there.
#[inline]
unsafe fn clear_weak_references(object: *mut ffi::PyObject) {
    // SAFETY: a positive offset is where objects of the class keep the head of the list of their weak
    // references, null if there is none; zero says that there never is one.
    unsafe {
        let nobody = match usize::try_from((*ffi::Py_TYPE(object)).tp_weaklistoffset) {
            Ok(0) => true,
            Ok(offset) => (*object.byte_add(offset).cast::<*mut ffi::PyObject>()).is_null(),
            Err(_) => false,
        };
        if !nobody {
            ffi::PyObject_ClearWeakRefs(object);
        }
    }
}

/// # Safety
/// `object` is a dead object of exactly the class `T`, which nobody else can reach, and is buried once.
#[inline]
unsafe fn bury_attached<T: Pooled>(py: Python<'_>, object: *mut ffi::PyObject) {
    let class = T::type_object_raw(py);
    // SAFETY: the content is initialised, nobody can reach it any more, and it is dropped once.
    let content = unsafe { content_of::<T>(py, object) };
    // A panicking destructor must not unwind into the interpreter; its value is lost either way.
    // SAFETY: as above.
    let drop_content = || unsafe { std::ptr::drop_in_place(content) };
    catch_unwind(AssertUnwindSafe(|| {
        tripwire!(ContentDropped);
        drop_content();
    }))
    .ok();
    // SAFETY: guaranteed by the caller.
    unsafe { drop_dict(class, object) };
    let kept = NonNull::new(object).is_some_and(|object| {
        T::pool().spare.with(py, |spare| {
            let room = spare.len() < CAPACITY;
            if room {
                spare.push(Dead(object));
            }
            room
        })
    });
    // SAFETY: an object of a heap type owns a reference to it, which ends here; memory that is not
    // kept goes back to where the type got it from.
    unsafe {
        if !kept {
            if let Some(free) = (*class).tp_free {
                free(object.cast());
            }
        }
        ffi::Py_DECREF(class.cast());
    }
}
