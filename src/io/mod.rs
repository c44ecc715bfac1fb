//! Input and output: waiting until file descriptors are ready, and sockets.
//!
//! | file | has |
//! |---|---|
//! | [`waiting`] | how a task gets into the poller's table of who waits for what, and out of it |
//! | [`readiness`] | `wait_readable` and its siblings, for any descriptor |
//! | [`socket`] | [`OwnedSocket`], the native half of Trio's sockets: its state and its methods |
//! | [`exchange`] | the course of every operation on one: try, sleep, try again |
//! | [`calls`] | operations that are methods of the standard library's socket |
//! | [`octets`] | short cuts for those of them that only move octets |
//! | [`stream`] | sending everything, connecting |
//! | [`address`] | internet addresses between Python and Rust |

mod address;
mod calls;
mod exchange;
mod octets;
mod readiness;
mod socket;
mod stream;
mod waiting;

pub use readiness::{notify_closing, wait_readable, wait_writable};
pub use socket::OwnedSocket;
