//! The state of one run: plain data, one file per part.
//!
//! [`Runner`] is the object that a run is. It owns the parts and has no logic of its own: who may do
//! what with a part is said where the part is defined, and the layers above supply the verbs.
//!
//! | part | file | changed by |
//! |---|---|---|
//! | runnable tasks | [`crate::kernel::RunQueue`] | `task::reschedule`, the tick |
//! | cancel scopes | [`crate::kernel::CancelTree`] | `cancel`, `nursery`, spawning and exiting |
//! | deadlines | [`crate::kernel::DeadlineHeap`] | `cancel`, `time`, the tick |
//! | waiting for calm | [`crate::kernel::IdleSet`] | `time`, the tick |
//! | sleeping until something happens | [`poller`] | the tick |
//! | who waits for which fd | [`registrations`] | `io`, the poller |
//! | calls from outside | [`entry_queue`] | any thread |
//! | instruments | [`instruments`] | tasks, the tick |
//! | time | [`clock`] | fixed for the run |
//!
//! Types of the layers above are named here where a queue has to hold them; nothing is called on
//! them.

pub mod clock;
pub mod current;
pub mod entry_queue;
pub mod instruments;
pub mod name;
pub mod poller;
pub mod reason;
pub mod registrations;
pub mod runner;

pub use name::{TaskLabel, TaskName};
pub use reason::{Reason, Source};
pub use runner::{Due, Options, Runner, ScopeChange};
