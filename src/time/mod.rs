//! Time: sleeping, timeouts, and waiting for calm.

mod idle;
mod sleeping;
mod timeouts;

pub use idle::wait_all_tasks_blocked;
pub use sleeping::{sleep, sleep_forever, sleep_until};
pub use timeouts::{
    current_clock, current_effective_deadline, current_time, move_on_after, move_on_at,
};
