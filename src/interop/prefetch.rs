//! Asking the processor to fetch an object before it is needed.
//!
//! The objects of thousands of tasks do not fit into the processor's near caches, and a step touches
//! several of them, each at the cost of dozens of instructions' time. Who knows which task comes next
//! can have the fetch overlap with what is done before.

use std::mem::size_of;

use pyo3::prelude::*;

/// The unit of memory that caches handle.
const LINE: usize = 64;
/// How much of an object of unknown size is worth it: a coroutine with a small frame.
const TYPICAL: usize = 3 * LINE;

/// Has the object's header and content fetched.
#[inline]
pub fn prefetch<T>(object: &Py<T>) {
    fetch(object.as_ptr().cast(), size_of::<T>() + LINE);
}

/// Has the beginning of a Python object of any class fetched.
#[inline]
pub fn prefetch_any<T>(object: &Py<T>) {
    fetch(object.as_ptr().cast(), TYPICAL);
}

#[inline]
fn fetch(start: *const i8, size: usize) {
    for offset in (0..size).step_by(LINE) {
        let line = start.wrapping_add(offset);
        // SAFETY: a hint; the processor ignores it for an address that it cannot read.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
            _mm_prefetch::<_MM_HINT_T0>(line);
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
}
