//! Making tasks out of async functions.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use thin_vec::ThinVec;

use super::schedule::enqueue;
use super::{Resume, Task};
use crate::core::instruments::Hook;
use crate::core::{Runner, TaskName};
use crate::interop::cell::{LoopCell, LoopRef, LoopValue};
use crate::interop::context::{self, EnteredContext};
use crate::interop::{coroutine, imports, pool};
use crate::kernel::tripwires::tripwire;
use crate::kernel::NodeId;
use crate::trap::Awaitable;

/// Everything that a new task needs to know.
pub struct Birth<'a, 'py> {
    pub function: &'a Bound<'py, PyAny>,
    pub args: &'a Bound<'py, PyTuple>,
    /// Keyword arguments, which only `Nursery.start` has (`task_status`).
    pub kwargs: Option<&'a Bound<'py, pyo3::types::PyDict>>,
    /// What the task is to be named after, if not after its function.
    pub name: Option<&'a Bound<'py, PyAny>>,
    /// The scope that it is in.
    pub scope: NodeId,
    /// The nursery that it is in; none for the root task.
    pub nursery: Option<Py<PyAny>>,
    /// Is its code protected from Ctrl-C?
    pub protected: bool,
    /// The context to run in, instead of a copy of the current one.
    pub context: Option<Bound<'py, PyAny>>,
}

/// Calls the async function and makes a runnable task of the coroutine.
pub fn spawn<'py>(
    runner: &Bound<'py, Runner>,
    birth: Birth<'_, 'py>,
) -> PyResult<Bound<'py, Task>> {
    let py = runner.py();
    let context = match &birth.context {
        Some(context) => context.clone(),
        None => context::copy_current(py)?,
    };
    let coroutine = call_async(&birth, &context)?;
    let name = TaskName::derive(birth.function, birth.name)?;
    let has_plain_body = coroutine.cast_exact::<Awaitable>().is_ok_and(pool::is_untracked);
    // A guest run that its host forgets is garbage together with its tasks.
    let hides_context = birth.context.is_none() && !runner.get().options.is_guest;
    if hides_context {
        context::hide(&context);
    }
    let run = runner.get();
    let number = run.spawned.get(py);
    run.spawned.set(py, number + 1);
    let task = pool::make(
        py,
        Task {
            runner: runner.clone().unbind(),
            coroutine: LoopRef::new(Some(coroutine.unbind())),
            context: LoopRef::new(Some(context.unbind())),
            name: LoopCell::new(Some(name)),
            number,
            inbox: LoopCell::new(Resume::Nothing),
            plan: LoopCell::new(None),
            armed: LoopValue::new(false),
            scheduled: LoopValue::new(true),
            throws: LoopValue::new(false),
            node: LoopValue::new(None),
            parent_nursery: LoopRef::new(birth.nursery),
            eventual_nursery: LoopRef::new(None),
            nursery_slot: LoopValue::new(u64::MAX),
            child_nurseries: LoopCell::new(ThinVec::new()),
            protected: birth.protected,
            breaks: LoopCell::new(ThinVec::new()),
            breaker_slot: LoopValue::new(u64::MAX),
            sleep_data: LoopRef::new(None),
            has_plain_body: LoopValue::new(has_plain_body),
            hides_context: LoopValue::new(hides_context),
            schedule_points: LoopValue::new(0),
            cancel_points: LoopValue::new(0),
        },
    )?;
    let leaf = task.clone().unbind();
    let node = run.scopes.with(py, |tree| tree.add_task(birth.scope, leaf));
    tripwire!(TaskSpawned);
    task.get().node.set(py, Some(node));
    run.living.set(py, run.living.get(py) + 1);
    Ok(task)
}

impl Task {
    /// Announces a new task to the instruments and queues it.
    pub fn launch(task: &Bound<'_, Self>) -> PyResult<()> {
        let py = task.py();
        let instruments = task.get().runner.get().instruments.get();
        if instruments.watch(py, Hook::TaskSpawned) {
            instruments.notify(py, Hook::TaskSpawned, &PyTuple::new(py, [task])?);
        }
        enqueue(task)
    }
}

/// Calls the function and makes sure that the result is a coroutine, with advice where it is not.
fn call_async<'py>(
    birth: &Birth<'_, 'py>,
    context: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let function = birth.function;
    let py = function.py();
    let called = if coroutine::only_makes_a_coroutine(function)? {
        function.call(birth.args, birth.kwargs)
    } else {
        call_as_the_task(birth, context)?
    };
    let result = match called {
        Ok(result) => result,
        // What `Nursery.start` calls gets a keyword, and then the interpreter's own words.
        Err(error) if birth.kwargs.is_none() && error.is_instance_of::<PyTypeError>(py) => {
            imports::explain_call_error(py)?.call1((function, birth.args, error.value(py)))?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    if coroutine::is_native_coroutine(&result) || result.is_exact_instance_of::<Awaitable>() {
        return Ok(result);
    }
    imports::as_coroutine(py)?.call1((function, result))
}

/// Calls a function that runs code before it returns a coroutine. That code belongs to the task: it
/// sees the task's context, and Trio as the library that runs.
fn call_as_the_task<'py>(
    birth: &Birth<'_, 'py>,
    context: &Bound<'py, PyAny>,
) -> PyResult<PyResult<Bound<'py, PyAny>>> {
    let py = context.py();
    let library = imports::sniffio_thread_local(py)?;
    let previous = library.getattr(intern!(py, "name"))?;
    library.setattr(intern!(py, "name"), intern!(py, "trio"))?;
    let called = {
        let _entered = EnteredContext::enter(context.clone())?;
        birth.function.call(birth.args, birth.kwargs)
    };
    library.setattr(intern!(py, "name"), previous)?;
    Ok(called)
}
