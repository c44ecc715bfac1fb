//! Places: Python objects in whose queue tasks wait.
//!
//! A task that waits stands in exactly one queue, and its plan says in which place and under which
//! key. Whoever takes it out of the queue owns its sleep: the one who wakes it, or the abort that ends
//! the wait early. Both happen in O(1), and neither leaves anything behind in the queue.
//!
//! The queue's cell is never open while something is dropped, rescheduled, or called.

use pyo3::prelude::*;
use pyo3::PyTypeInfo;

use crate::core::current;
use crate::interop::cell::LoopCell;
use crate::kernel::{WaitKey, WaitQueue};
use crate::task::{park, reschedule, AbortOutcome, Interruption, Plan, Resume, Task};

/// A class of objects at which tasks wait in a queue.
pub trait Place: PyTypeInfo + Sized {
    /// A member of the queue: the task and whatever has to be known to wake it.
    type Waiter;

    /// The queue.
    fn waiters<'a>(place: &'a Bound<'_, Self>) -> &'a LoopCell<WaitQueue<Self::Waiter>>;
}

type AbortFunction = fn(&Bound<'_, Task>, &Plan, &Interruption) -> PyResult<AbortOutcome>;

/// Puts the running task, which has to yield `Park` next, to the end of the queue. It leaves early if
/// it is interrupted.
#[inline]
pub fn join<P: Place>(place: &Bound<'_, P>, task: &Bound<'_, Task>, waiter: P::Waiter) {
    stand_in_line(place, task, waiter, leave::<P>);
}

/// Like [`join`] for a task that must not leave before its turn comes.
pub fn join_for_good<P: Place>(place: &Bound<'_, P>, task: &Bound<'_, Task>, waiter: P::Waiter) {
    stand_in_line(place, task, waiter, |_, _, _| Ok(AbortOutcome::Failed));
}

#[inline]
fn stand_in_line<P: Place>(
    place: &Bound<'_, P>,
    task: &Bound<'_, Task>,
    waiter: P::Waiter,
    abort: AbortFunction,
) {
    let py = task.py();
    let key = P::waiters(place).with(py, |queue| queue.push_back(waiter)).to_bits();
    let at = Some(place.clone().into_any().unbind());
    park(py, task.get(), Plan { abort, place: at, key });
}

/// Takes an interrupted task out of the queue.
fn leave<P: Place>(
    task: &Bound<'_, Task>,
    plan: &Plan,
    _why: &Interruption,
) -> PyResult<AbortOutcome> {
    let py = task.py();
    if let Some(place) = &plan.place {
        let place = place.bind(py).cast::<P>()?;
        let key = WaitKey::from_bits(plan.key);
        let gone = P::waiters(place).with(py, |queue| queue.remove(key));
        drop(gone);
    }
    Ok(AbortOutcome::Succeeded)
}

/// Fails if tasks wait but the caller is outside of any run: in another thread, most likely, from where
/// nobody can be woken. For functions that may be called anywhere, before they change anything.
#[inline]
pub fn check_caller<P: Place>(place: &Bound<'_, P>) -> PyResult<()> {
    let py = place.py();
    if P::waiters(place).with(py, |queue| !queue.is_empty()) {
        current::runner(py)?;
    }
    Ok(())
}

/// Wakes the task that has waited longest, and says which one that was.
#[inline]
pub fn wake<'py, P: Place<Waiter = Py<Task>>>(
    place: &Bound<'py, P>,
) -> PyResult<Option<Bound<'py, Task>>> {
    let py = place.py();
    let Some(first) = P::waiters(place).with(py, WaitQueue::pop_front) else { return Ok(None) };
    let first = first.into_bound(py);
    reschedule(&first, Resume::Nothing)?;
    Ok(Some(first))
}

/// Wakes everybody, longest waiting first. If waking one fails, the others are woken all the same.
#[inline]
pub fn wake_all<P: Place<Waiter = Py<Task>>>(place: &Bound<'_, P>) -> PyResult<()> {
    let mut result = Ok(());
    loop {
        match wake(place) {
            Ok(Some(_)) => {}
            Ok(None) => return result,
            Err(error) => result = result.and(Err(error)),
        }
    }
}

/// Lets the first in one queue wait at the end of another instead. False if there was nobody.
pub fn transfer<A, B>(from: &Bound<'_, A>, to: &Bound<'_, B>) -> bool
where
    A: Place<Waiter = Py<Task>>,
    B: Place<Waiter = Py<Task>>,
{
    let py = from.py();
    let Some(task) = A::waiters(from).with(py, WaitQueue::pop_front) else { return false };
    let waiter = task.clone_ref(py);
    let key = B::waiters(to).with(py, |queue| queue.push_back(waiter)).to_bits();
    let place = Some(to.clone().into_any().unbind());
    park(py, task.get(), Plan { abort: leave::<B>, place, key });
    true
}
