//! Waking the loop from outside: the token, the entry queue's task, Ctrl-C; and waking worker threads.

mod entry;
mod gate;
mod interrupt;
mod token;

pub use entry::{run_entry_calls, wait_for_entry_calls, wake_entry_task};
pub use gate::Gate;
pub use interrupt::deliver_interrupt;
pub use token::{current_trio_token, TrioToken};
