//! Pure data structures of the scheduler.
//!
//! Nothing in this folder knows Python: every structure is generic over what it stores, never calls
//! the stored values, and never drops one behind the caller's back (removal hands values out). That
//! makes the rules of the loop easy to keep: callers hold a borrow only while these structures
//! change, move values out, release, and only then let Python run.
//!
//! | structure | question it answers |
//! |---|---|
//! | [`RunQueue`] | which tasks run in this tick, which in the next |
//! | [`DeadlineHeap`] | what is due, and when is the next thing due |
//! | [`WaitQueue`] | who waits here, in which order, with O(1) departure |
//! | [`CancelTree`] | who is inside which cancel scope, and is it cancelled |
//! | [`IdleSet`] | who wants to run once everybody else is blocked |
//! | [`Readiness`] | is it worth trying to read from this socket, or to write |
//!
//! [`tripwires`] are no structure: they let tests of debug builds panic in the layers above.

#![forbid(unsafe_code)]

mod cancel_tree;
mod deadline_heap;
mod idle_set;
mod readiness;
mod run_queue;
mod slab;
pub mod tripwires;
mod wait_queue;

pub use cancel_tree::{CancelTree, Change, NodeId};
pub use deadline_heap::{DeadlineHeap, DeadlineKey};
pub use idle_set::{IdleKey, IdleSet};
pub use readiness::{Direction, Readiness, Report};
pub use run_queue::RunQueue;
pub use slab::{Slab, SlabKey};
pub use wait_queue::{WaitKey, WaitQueue};
