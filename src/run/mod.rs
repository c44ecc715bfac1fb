//! The loop.
//!
//! | file | holds |
//! |---|---|
//! | `tick` | one turn: timeout, poll, deadlines, calm, batch |
//! | `step` | one task's part of a turn: resume it, and act on what it yields |
//! | `finish` | a task's end |
//! | `entry` | a run's beginning and end, when it owns the thread |
//! | `guest` | a run that is driven by another loop |
//! | `lowlevel` | what `trio.lowlevel` offers about the run |

mod entry;
mod finish;
mod guest;
mod lowlevel;
mod step;
mod tick;

pub use entry::{begin_run, drive, end_run};
pub use guest::GuestRun;
pub use lowlevel::{
    add_instrument, current_root_task, current_task, in_trio_run, in_trio_task, remove_instrument,
    reschedule_task, run_statistics, spawn_in_nursery,
};
