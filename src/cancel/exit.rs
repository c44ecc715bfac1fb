//! Leaving a cancel scope: which exceptions it swallows, and what happens if it is not its turn.

use pyo3::exceptions::{PyBaseException, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::{deliver, CancelScope, MISNESTING_ADVICE};
use crate::core::{current, Reason, Runner, ScopeChange};
use crate::interop::errors::{get_context, is_group, set_context, Cancelled};
use crate::interop::fallible::{self, raise};
use crate::kernel::tripwires::tripwire;
use crate::kernel::NodeId;
use crate::task::Task;

/// What a loose nursery's groups carry, to be recognised when they can be collapsed.
pub const LOOSE_GROUP_NOTE: &str = "This is a \"loose\" ExceptionGroup, and may be collapsed by Trio if it only contains one exception - typically after `Cancelled` has been stripped from it. Note this has consequences for exception handling, and strict_exception_groups=True is recommended.";

type Exception<'py> = Bound<'py, PyBaseException>;

/// Ends the block of `scope`; `incoming` is the exception on its way out, the result the one that is
/// to go on.
pub fn leave<'py>(
    scope: &Bound<'py, CancelScope>,
    incoming: Option<Exception<'py>>,
) -> PyResult<Option<Exception<'py>>> {
    let py = scope.py();
    let Some(node) = scope.get().node(py) else {
        let text = format!(
            "Cancel scope stack corrupted: attempted to exit {} which had already been exited",
            scope.repr()?
        );
        return raise_after(py, text, incoming);
    };
    let task = current::task(py)?;
    if !scope.get().belongs_to(py, &task.get().runner) {
        return raise_after(py, unrelated(scope, &task)?, incoming);
    }
    let runner = task.get().runner.get();
    let Some(leaf) = task.get().node.get(py) else { return Ok(incoming) };
    tripwire!(ScopeLeft);
    if let Some(owner) = runner.scopes.with(py, |tree| tree.leave(leaf, node)) {
        owner.drop_ref(py);
        scope.get().retire(py);
        return Ok(incoming);
    }
    let place = runner.scopes.with(py, |tree| {
        (tree.parent(leaf), tree.is_abandoned(node), tree.is_inside(leaf, node), tree.parent(node))
    });
    let mut rest = incoming;
    let mut change = ScopeChange::default();
    match place {
        (Some(innermost), _, _, Some(outer)) if innermost == node => {
            runner.scopes.with(py, |tree| tree.move_into(leaf, outer, &mut change));
        }
        (_, true, ..) | (None, ..) => {}
        (_, false, false, _) => {
            return raise_after(py, unrelated(scope, &task)?, rest);
        }
        (Some(innermost), false, true, outer) => {
            let error = still_inside(scope, &task, runner, innermost)?;
            set_context(py, &error, rest.as_ref());
            rest = Some(error.into_value(py).into_bound(py));
            if let Some(outer) = outer {
                runner.scopes.with(py, |tree| tree.move_into(leaf, outer, &mut change));
            }
        }
    }
    let swallows = rest.is_some()
        && runner
            .scopes
            .with(py, |tree| tree.is_effective(node) && !tree.sees_outer_cancellation(node));
    if swallows {
        if let Some(error) = rest.take() {
            match filter_cancelled(&error) {
                Ok((caught, remaining)) => {
                    rest = remaining;
                    scope.get().state.with(py, |state| state.caught |= caught);
                }
                // The scope is closed all the same.
                Err(failure) => {
                    set_context(py, &failure, Some(&error));
                    rest = Some(failure.into_value(py).into_bound(py));
                }
            }
        }
    }
    let owner =
        runner.scopes.with(py, |tree| tree.close(node, || Reason::misnesting(py), &mut change));
    drop(owner);
    scope.get().retire(py);
    deliver(py, runner, change)?;
    Ok(rest)
}

fn unrelated(scope: &Bound<'_, CancelScope>, task: &Bound<'_, Task>) -> PyResult<String> {
    Ok(format!(
        "Cancel scope stack corrupted: attempted to exit {} from unrelated {}\n{}",
        scope.repr()?,
        task.repr()?,
        MISNESTING_ADVICE
    ))
}

fn still_inside(
    scope: &Bound<'_, CancelScope>,
    task: &Bound<'_, Task>,
    runner: &Runner,
    innermost: NodeId,
) -> PyResult<PyErr> {
    let py = scope.py();
    let child =
        runner.scopes.with(py, |tree| tree.owner(innermost).map(|scope| scope.clone_ref(py)));
    let child = match child {
        Some(child) => child.bind(py).repr()?.to_string(),
        None => "scope".to_owned(),
    };
    let text = format!(
        "Cancel scope stack corrupted: attempted to exit {} in {} that's still within its child {child}\n{}",
        scope.repr()?,
        task.repr()?,
        MISNESTING_ADVICE
    );
    Ok(raise::<PyRuntimeError>(py, text))
}

/// Raises a `RuntimeError` in place of `incoming`, which becomes its context.
fn raise_after<'py>(
    py: Python<'py>,
    text: String,
    incoming: Option<Exception<'py>>,
) -> PyResult<Option<Exception<'py>>> {
    let error = raise::<PyRuntimeError>(py, text);
    set_context(py, &error, incoming.as_ref());
    Err(error)
}

/// Takes `Cancelled` out of an exception: was there any, and what is left?
pub fn filter_cancelled<'py>(error: &Exception<'py>) -> PyResult<(bool, Option<Exception<'py>>)> {
    let py = error.py();
    if error.is_instance_of::<Cancelled>() {
        return Ok((true, None));
    }
    if !is_group(error)? {
        return Ok((false, Some(error.clone())));
    }
    let parts = error.call_method1(intern!(py, "split"), (py.get_type::<Cancelled>(),))?;
    let (matched, rest): (Bound<'py, PyAny>, Bound<'py, PyAny>) = parts.extract()?;
    // Also without a `Cancelled` in it, what comes out is the group that `split` has derived.
    let rest = if rest.is_none() { None } else { Some(collapse(rest.cast_into()?)?) };
    Ok((!matched.is_none(), rest))
}

/// Replaces loose groups that hold a single exception by that exception, at every level.
pub fn collapse(error: Exception<'_>) -> PyResult<Exception<'_>> {
    let py = error.py();
    if !is_group(&error)? {
        return Ok(error);
    }
    let members: Bound<'_, PyTuple> = error.getattr(intern!(py, "exceptions"))?.cast_into()?;
    let mut changed = false;
    let mut collapsed = Vec::with_capacity(members.len());
    for member in members.iter() {
        let new = collapse(member.clone().cast_into()?)?;
        changed |= !new.is(&member);
        collapsed.push(new);
    }
    if collapsed.len() == 1 && is_loose(&error)? {
        let single = collapsed.remove(0);
        let inherited = error.getattr(intern!(py, "__traceback__"))?;
        let own = single.getattr(intern!(py, "__traceback__"))?;
        let joined = crate::interop::imports::concat_tb(py)?.call1((inherited, own))?;
        single.setattr(intern!(py, "__traceback__"), joined)?;
        return Ok(single);
    }
    if !changed {
        return Ok(error);
    }
    let derived =
        error.call_method1(intern!(py, "derive"), (fallible::list_of(py, collapsed)?,))?;
    for attribute in ["__traceback__", "__cause__", "__notes__"] {
        if let Some(value) = error.getattr_opt(attribute)? {
            derived.setattr(attribute, value)?;
        }
    }
    let derived: Exception<'_> = derived.cast_into()?;
    set_context(py, &PyErr::from_value(derived.clone().into_any()), get_context(&error).as_ref());
    Ok(derived)
}

fn is_loose(error: &Exception<'_>) -> PyResult<bool> {
    match error.getattr_opt(intern!(error.py(), "__notes__"))? {
        Some(notes) => notes.contains(LOOSE_GROUP_NOTE),
        None => Ok(false),
    }
}
