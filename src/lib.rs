//! Trio's run loop in Rust.
//!
//! Read it from the top, in the order in which one turn of the loop happens:
//!
//! 1. `trio.run(fn)` in `python/trio/_core/_run.py` calls [`run`]'s `entry`;
//! 2. one tick, `run/tick.rs`: timeout, poll, deadlines, calm, batch;
//! 3. one task's step, `run/step.rs`: enter its context, resume its coroutine, obey what it yields;
//! 4. what it yields: [`trap`];
//! 5. what parks it: [`sync`], [`channel`], [`io`], [`time`], [`nursery`];
//! 6. what interrupts it: [`cancel`]; what wakes it from outside: [`wake`].
//!
//! Below all of them are [`task`] and the plain state in [`core`]; at the bottom [`kernel`] (data
//! structures that know no Python) and [`interop`] (the only room with `unsafe`).

mod cancel;
mod channel;
mod core;
mod interop;
mod io;
pub mod kernel;
mod nursery;
mod run;
mod sync;
mod task;
mod time;
mod trap;
mod wake;

use pyo3::prelude::*;

/// The native half of `trio._core`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::cancel::CancelScope;
    #[pymodule_export]
    use crate::core::clock::SystemClock;
    #[pymodule_export]
    use crate::core::instruments::Instruments;
    #[pymodule_export]
    use crate::core::Runner;
    #[pymodule_export]
    use crate::interop::errors::{
        BrokenResourceError, BusyResourceError, Cancelled, ClosedResourceError, EndOfChannel,
        RunFinishedError, TrioInternalError, WouldBlock,
    };
    #[pymodule_export]
    use crate::interop::thread_name::set_os_thread_name;
    #[pymodule_export]
    use crate::io::{notify_closing, wait_readable, wait_writable, OwnedSocket};
    #[pymodule_export]
    use crate::nursery::{open_nursery, set_nursery_metaclass, Nursery, NurseryManager};
    #[pymodule_export]
    use crate::run::{
        add_instrument, begin_run, current_root_task, current_task, drive, end_run, in_trio_run,
        in_trio_task, remove_instrument, reschedule_task, run_statistics, spawn_in_nursery,
        GuestRun,
    };
    #[pymodule_export]
    use crate::task::Task;
    #[pymodule_export]
    use crate::time::{
        current_clock, current_effective_deadline, current_time, move_on_after, move_on_at, sleep,
        sleep_forever, sleep_until, wait_all_tasks_blocked,
    };
    #[pymodule_export]
    use crate::trap::{
        announce_abort, cancel_shielded_checkpoint, checkpoint, checkpoint_if_cancelled,
        wait_for_reschedule, Awaitable, Trap,
    };
    #[pymodule_export]
    use crate::wake::{
        current_trio_token, deliver_interrupt, run_entry_calls, wait_for_entry_calls, Gate,
        TrioToken,
    };

    use super::{Bound, PyModule, PyModuleMethods, PyResult};
    use pyo3::IntoPyObjectExt;

    use crate::interop::async_function::{AsyncFunction, Direct};
    use crate::interop::async_method;
    use crate::interop::class_names;
    use crate::interop::early_dict;
    use crate::interop::panics;

    const PUBLIC_ASYNC_FUNCTIONS: [(&str, Option<Direct>); 7] = [
        (
            "cancel_shielded_checkpoint",
            Some(|py| cancel_shielded_checkpoint().into_bound_py_any(py)),
        ),
        ("checkpoint", Some(|py| checkpoint().into_bound_py_any(py))),
        ("checkpoint_if_cancelled", Some(|py| checkpoint_if_cancelled().into_bound_py_any(py))),
        ("sleep", None),
        ("sleep_forever", Some(|py| sleep_forever().into_bound_py_any(py))),
        ("sleep_until", None),
        ("wait_all_tasks_blocked", None),
    ];

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        panics::take_note_of_all();
        Awaitable::prepare(module.py());
        Trap::prepare(module.py())?;
        CancelScope::prepare(module.py());
        async_method::prepare(module.py())?;
        NurseryManager::prepare(module.py())?;
        Nursery::prepare(module.py())?;
        Task::prepare(module.py());
        module.add("LOOSE_GROUP_NOTE", crate::cancel::exit::LOOSE_GROUP_NOTE)?;
        early_dict::prepare(&module.py().get_type::<AsyncFunction>());
        for (name, direct) in PUBLIC_ASYNC_FUNCTIONS {
            AsyncFunction::replace(module, name, direct)?;
        }
        crate::sync::register(module)?;
        crate::channel::register(module)?;
        #[cfg(debug_assertions)]
        crate::interop::tripwires::register(module)?;
        early_dict::prepare_all(module);
        class_names::settle(module)
    }
}
