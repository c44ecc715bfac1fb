//! A run's beginning and end.
//!
//! `python/trio/_core/_run.py` calls, in this order: [`begin_run`], [`drive`] (or a
//! [`super::GuestRun`]), [`end_run`]. What surrounds them there (Ctrl-C handling, async generator
//! hooks, sniffio) happens once per run and is Python.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::tick::Ticker;
use crate::cancel::CancelScope;
use crate::core::clock::Clock;
use crate::core::entry_queue::EntryQueue;
use crate::core::instruments::{Hook, Instruments};
use crate::core::poller::Poller;
use crate::core::{current, Options, Runner};
use crate::interop::cell::{LoopCell, LoopRef, LoopValue};
use crate::interop::errors::{internal_error, os_error};
use crate::interop::fallible::{self, raise};
use crate::interop::panics::surviving;
use crate::interop::run_context;
use crate::kernel::tripwires::tripwire;
use crate::kernel::{CancelTree, DeadlineHeap, IdleSet, RunQueue};
use crate::sync::forget_keeper;
use crate::task::{spawn, Birth, Task};

/// Makes the run object and installs it as this thread's run.
///
/// `local` is `GLOBAL_RUN_CONTEXT`, `namespace` the dictionary of `trio._core._run`.
#[pyfunction]
#[pyo3(signature = (local, namespace, clock, instruments, strict, system_context, is_guest))]
pub fn begin_run<'py>(
    local: &Bound<'py, PyAny>,
    namespace: Py<PyDict>,
    clock: Bound<'py, PyAny>,
    instruments: &Bound<'py, PyAny>,
    strict: bool,
    system_context: Py<PyAny>,
    is_guest: bool,
) -> PyResult<Bound<'py, Runner>> {
    let py = local.py();
    if current::runner_or_none(py).is_some() {
        return Err(raise::<PyRuntimeError>(py, "Attempted to call run() from inside a run()"));
    }
    let options = Options { strict_exception_groups: strict, namespace, is_guest, system_context };
    surviving(py, || {
        let observers = Bound::new(py, Instruments::default())?;
        for instrument in instruments.try_iter()? {
            observers.get().add(&instrument?)?;
        }
        let runner = Bound::new(py, set_up(py, clock, observers.unbind(), options)?)?;
        tripwire!(RunBegins);
        run_context::attach(local)?.set_item(intern!(py, "runner"), &runner)?;
        Ok(runner)
    })
}

/// A run in which nothing has happened.
fn set_up(
    py: Python<'_>,
    clock: Bound<'_, PyAny>,
    instruments: Py<Instruments>,
    options: Options,
) -> PyResult<Runner> {
    let (poller, wakeup) = Poller::open().map_err(|error| os_error(py, &error))?;
    Ok(Runner {
        queue: LoopCell::new(RunQueue::default()),
        scopes: LoopCell::new(CancelTree::default()),
        deadlines: LoopCell::new(DeadlineHeap::default()),
        idle: LoopCell::new(IdleSet::default()),
        poller: LoopCell::new(Some(poller)),
        entry: Arc::new(EntryQueue::new(py, wakeup)?),
        instruments,
        clock: Clock::new(clock),
        options,
        current: LoopRef::new(None),
        init_task: LoopRef::new(None),
        main_task: LoopRef::new(None),
        main_outcome: LoopCell::new(None),
        system_nursery: LoopRef::new(None),
        entry_task: LoopRef::new(None),
        token: LoopRef::new(None),
        asyncgens: LoopRef::new(None),
        guest_tick_scheduled: LoopValue::new(true),
        locals: LoopRef::new(None),
        interrupt_pending: LoopValue::new(false),
        autojump_threshold: LoopValue::new(f64::INFINITY),
        spawned: LoopValue::new(0),
        living: LoopValue::new(0),
    })
}

/// Spawns the root task and tells everybody that the run begins.
pub fn launch<'py>(
    runner: &Bound<'py, Runner>,
    init: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<()> {
    let py = runner.py();
    let run = runner.get();
    let instruments = run.instruments.get();
    if instruments.watch(py, Hook::BeforeRun) {
        instruments.notify(py, Hook::BeforeRun, &PyTuple::empty(py));
    }
    run.clock.object(py).bind(py).call_method0(intern!(py, "start_clock"))?;
    let owner = CancelScope::make(py, f64::INFINITY, f64::INFINITY, false)?.unbind();
    let root = run.scopes.with(py, |tree| tree.add_scope(None, false, owner));
    tripwire!(RunLaunched);
    let name = fallible::string(py, "<init>")?.into_any();
    let birth = Birth {
        function: init,
        args,
        kwargs: None,
        name: Some(&name),
        scope: root,
        nursery: None,
        protected: true,
        context: Some(run.options.system_context.bind(py).clone()),
    };
    let task = spawn(runner, birth)?;
    run.init_task.put(py, Some(task.clone().unbind()));
    Task::launch(&task)
}

/// Runs the loop until every task has ended. `init` is the root task's function.
///
/// # Errors
/// `TrioInternalError` for anything that goes wrong in the loop itself, panics included.
#[pyfunction]
pub fn drive(
    runner: &Bound<'_, Runner>,
    init: &Bound<'_, PyAny>,
    args: &Bound<'_, PyTuple>,
) -> PyResult<()> {
    guarded(runner.py(), || {
        launch(runner, init, args)?;
        let py = runner.py();
        let run = runner.get();
        let mut ticker = Ticker::new();
        while run.living.get(py) > 0 {
            ticker.prepare(run, py)?;
            let found = ticker.poll(run, py)?;
            ticker.proceed(runner, found)?;
        }
        Ok(())
    })
}

/// Runs a part of the loop and turns every failure of it into `TrioInternalError`.
pub fn guarded<T>(py: Python<'_>, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    surviving(py, work).map_err(|error| internal_error(py, error))
}

/// Takes the run apart: nothing of it can run any more.
#[pyfunction]
pub fn end_run(runner: &Bound<'_, Runner>) -> PyResult<()> {
    surviving(runner.py(), || take_apart(runner))
}

fn take_apart(runner: &Bound<'_, Runner>) -> PyResult<()> {
    let py = runner.py();
    let run = runner.get();
    run.entry.close();
    let poller = run.poller.take(py);
    tripwire!(RunEnds);
    let leftovers = run.entry.take_idempotent(py);
    let mut calls = Vec::new();
    while let Some(call) = run.entry.pop() {
        calls.push(call);
    }
    let instruments = run.instruments.get();
    if instruments.watch(py, Hook::AfterRun) {
        instruments.notify(py, Hook::AfterRun, &PyTuple::empty(py));
    }
    run.entry.disconnect();
    run.current.put(py, None);
    let orphans: Vec<_> =
        run.scopes.with(py, |tree| tree.tasks().map(|it| it.clone_ref(py)).collect());
    for task in &orphans {
        task.get().show_context(py);
        forget_keeper(py, task.get());
    }
    drop((poller, leftovers, calls, orphans));
    // What tasks that outlive the run refer to must not keep each other alive through it.
    for task in [&run.init_task, &run.main_task, &run.entry_task] {
        task.put(py, None);
    }
    run.system_nursery.put(py, None);
    Ok(())
}
