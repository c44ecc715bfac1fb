//! Waking the loop from outside: the token, the entry queue's task, Ctrl-C.

mod entry;
mod interrupt;
mod token;

pub use entry::{run_entry_calls, wait_for_entry_calls, wake_entry_task};
pub use interrupt::deliver_interrupt;
pub use token::{current_trio_token, TrioToken};
