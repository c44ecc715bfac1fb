//! Input and output: waiting until file descriptors are ready.

mod readiness;

pub use readiness::{notify_closing, wait_readable, wait_writable};
