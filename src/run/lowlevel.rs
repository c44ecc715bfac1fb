//! What `trio.lowlevel` offers about the run and its tasks.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::core::{current, Runner};
use crate::nursery::{spawn_into, Nursery, SpawnOptions};
use crate::task::{reschedule, Resume, Task};

/// The task that is running now.
///
/// Raises:
///     RuntimeError: outside of a task.
#[pyfunction]
pub fn current_task(py: Python<'_>) -> PyResult<Bound<'_, Task>> {
    current::task(py)
}

/// The root of the task tree: parent of the main task and of all system tasks.
///
/// Raises:
///     RuntimeError: outside of a run.
#[pyfunction]
pub fn current_root_task(py: Python<'_>) -> PyResult<Option<Py<Task>>> {
    Ok(current::runner(py)?.get().init_task.get(py))
}

/// Is a run active in this thread?
///
/// True in tasks, in callbacks from the loop, and in code that a guest run's host calls.
#[pyfunction]
pub fn in_trio_run(py: Python<'_>) -> bool {
    current::runner_or_none(py).is_some()
}

/// Is a task running in this thread?
///
/// False where the loop itself is at work, between the steps of tasks, and in what the host of a guest
/// run calls. Where it is true, :func:`current_task` works.
#[pyfunction]
pub fn in_trio_task(py: Python<'_>) -> bool {
    current::task_or_none(py).is_some()
}

/// Start observing the run.
///
/// Arguments:
///     instrument: the observer, see :class:`trio.abc.Instrument`. Adding it again does nothing.
#[pyfunction]
pub fn add_instrument(py: Python<'_>, instrument: &Bound<'_, PyAny>) -> PyResult<()> {
    current::runner(py)?.get().instruments.get().add(instrument)
}

/// Stop observing the run.
///
/// Raises:
///     KeyError: if the instrument is not registered, perhaps because one of its hooks has raised.
#[pyfunction]
pub fn remove_instrument(py: Python<'_>, instrument: &Bound<'_, PyAny>) -> PyResult<()> {
    current::runner(py)?.get().instruments.get().remove(instrument)
}

/// Make a task runnable that sleeps in :func:`wait_task_rescheduled`.
///
/// To be called exactly once per sleep, in the thread of the run.
///
/// Arguments:
///     task: the task.
///     next_send: an outcome object: what ``wait_task_rescheduled`` returns or raises there. By
///         default it returns ``None``.
#[pyfunction(name = "reschedule")]
#[pyo3(signature = (task, next_send = None))]
pub fn reschedule_task(task: &Bound<'_, Task>, next_send: Option<Py<PyAny>>) -> PyResult<()> {
    let resume = next_send.map_or_else(|| Resume::Value(task.py().None()), Resume::Outcome);
    reschedule(task, resume)
}

/// Spawns `function` into `nursery`; for the Python half of the core.
#[pyfunction]
#[pyo3(signature = (nursery, function, args, name, protected, context))]
pub fn spawn_in_nursery<'py>(
    nursery: &Bound<'py, Nursery>,
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    name: Option<&Bound<'py, PyAny>>,
    protected: bool,
    context: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, Task>> {
    let runner = current::runner_attribute(nursery.py())?;
    let options = SpawnOptions { name, protected, context, ..SpawnOptions::default() };
    spawn_into(&runner, nursery, function, args, options)
}

/// The figures behind `current_statistics`, in the order of its fields: tasks living, tasks runnable,
/// seconds to the next deadline, tasks waiting to read, tasks waiting to write, queued calls.
#[pyfunction]
pub fn run_statistics(
    py: Python<'_>,
    runner: &Bound<'_, Runner>,
) -> PyResult<(usize, usize, f64, usize, usize, usize)> {
    let run = runner.get();
    let next = run.deadlines.with(py, |heap| heap.next());
    let seconds = match next {
        Some(deadline) => deadline - run.now(py)?,
        None => f64::INFINITY,
    };
    let (readers, writers) = run
        .poller
        .with(py, |poller| poller.as_ref().map_or((0, 0), crate::core::poller::Poller::waiting));
    let entry_waits = usize::from(run.entry_task.get(py).is_some());
    let runnable = run.queue.with(py, |queue| queue.len());
    Ok((run.living.get(py), runnable, seconds, readers + entry_waits, writers, run.entry.len(py)))
}
