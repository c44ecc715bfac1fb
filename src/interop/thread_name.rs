//! The name that the operating system has for a thread.

use pyo3::prelude::*;

/// What the kernel keeps of a name, including the terminating zero (`TASK_COMM_LEN`).
const KEPT: usize = 16;

/// Name the calling thread for the operating system, which keeps 15 bytes, up to the first zero.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub fn set_os_thread_name(name: &[u8]) {
    let mut kept = [0; KEPT];
    let length = name.len().min(KEPT - 1);
    kept[..length].copy_from_slice(&name[..length]);
    // SAFETY: the kernel reads up to the first zero, and `kept` ends with one; it copies what it reads.
    // The only error would be that it cannot read there.
    unsafe { libc::prctl(libc::PR_SET_NAME, kept.as_ptr()) };
}
