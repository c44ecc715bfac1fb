//! `UnboundedQueue`: items in, batches out. Deprecated in favour of memory channels.
//!
//! The right to take the next batch is separate from the items: it comes into being with the first item
//! of a batch, and goes to the first task that waits, else to whoever asks next. So a task that was
//! woken for a batch finds it untouched, with everything that has been added meanwhile.

use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{intern, PyTraverseError, PyVisit};

use crate::interop::cell::{LoopCell, LoopValue};
use crate::interop::errors::{bare, WouldBlock};
use crate::interop::fallible;
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::kernel::WaitQueue;
use crate::task::Task;
use crate::trap::{
    check_caller, join, wake, Attempt, Awaitable, Blocking, NewAwaitable, Operation, Place,
};

/// A queue without limit that is emptied in batches. Deprecated: use ``open_memory_channel(math.inf)``.
///
/// Putting never waits. Getting gives a list of everything that is there, and waits only if there is
/// nothing. ``async for batch in queue`` gets one batch after another, forever.
///
/// See "Unbounded queue" in Trio's low-level reference.
#[pyclass(frozen, dict, weakref, generic, module = "trio.lowlevel", name = "UnboundedQueue")]
pub struct UnboundedQueue {
    items: LoopCell<Vec<Py<PyAny>>>,
    /// Is there a batch that belongs to nobody yet?
    available: LoopValue<bool>,
    waiters: LoopCell<WaitQueue<Py<Task>>>,
}

gc_fields!(UnboundedQueue: items, waiters);

impl Place for UnboundedQueue {
    type Waiter = Py<Task>;

    fn waiters<'a>(queue: &'a Bound<'_, Self>) -> &'a LoopCell<WaitQueue<Py<Task>>> {
        &queue.get().waiters
    }
}

#[pymethods]
impl UnboundedQueue {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let options = fallible::dict(py)?;
        options.set_item(intern!(py, "issue"), 497)?;
        options.set_item(intern!(py, "instead"), "trio.open_memory_channel(math.inf)")?;
        options.set_item(intern!(py, "stacklevel"), 1)?;
        options.set_item(intern!(py, "use_triodeprecationwarning"), true)?;
        let thing = ("trio.lowlevel.UnboundedQueue", "0.9.0");
        imports::warn_deprecated(py)?.call(thing, Some(&options))?;
        Ok(Self {
            items: LoopCell::new(Vec::new()),
            available: LoopValue::new(false),
            waiters: LoopCell::new(WaitQueue::default()),
        })
    }

    /// Add an item.
    fn put_nowait(slf: &Bound<'_, Self>, obj: Py<PyAny>) -> PyResult<()> {
        let this = slf.get();
        check_caller(slf)?;
        let is_first = this.items.with(slf.py(), |items| {
            items.push(obj);
            items.len() == 1
        });
        if is_first && wake(slf)?.is_none() {
            this.available.set(slf.py(), true);
        }
        Ok(())
    }

    /// Take everything that is there, as a list.
    ///
    /// Raises:
    ///     WouldBlock: if there is nothing, or what there is belongs to a task that has waited for it.
    fn get_batch_nowait<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        if !self.available.get(py) {
            return Err(bare::<WouldBlock>(py));
        }
        self.take_batch(py)
    }

    /// Take everything that is there, as a list that is not empty; waits for the first item. A
    /// checkpoint.
    fn get_batch(slf: Py<Self>) -> NewAwaitable {
        Awaitable::new("UnboundedQueue.get_batch", Blocking::new(GetBatch { queue: slf }))
    }

    /// How many items are there.
    fn qsize(&self, py: Python<'_>) -> usize {
        self.items.with(py, |items| items.len())
    }

    /// Is nothing there?
    fn empty(&self, py: Python<'_>) -> bool {
        self.qsize(py) == 0
    }

    /// The queue's state: an object with the attributes ``qsize`` and ``tasks_waiting``.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let waiting = self.waiters.with(py, |queue| queue.len());
        imports::unbounded_queue_statistics(py)?.call1((self.qsize(py), waiting))
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__(slf: Py<Self>) -> NewAwaitable {
        Self::get_batch(slf)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<UnboundedQueue holding {} items>", self.qsize(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

impl UnboundedQueue {
    fn take_batch<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let items = self.items.take(py);
        let batch = fallible::list_of(py, &items);
        if batch.is_ok() {
            self.available.set(py, false);
        } else {
            drop(self.items.replace(py, items));
        }
        batch
    }
}

struct GetBatch {
    queue: Py<UnboundedQueue>,
}

impl Operation for GetBatch {
    fn attempt(&mut self, task: &Bound<'_, Task>) -> PyResult<Attempt> {
        let queue = self.queue.bind(task.py());
        if queue.get().available.get(task.py()) {
            let batch = queue.get().take_batch(task.py())?;
            return Ok(Attempt::Done(Some(batch.into_any().unbind())));
        }
        join(queue, task, task.clone().unbind());
        Ok(Attempt::Waits)
    }

    fn woken(
        &mut self,
        task: &Bound<'_, Task>,
        message: PyResult<Option<Py<PyAny>>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        message?;
        let batch = self.queue.get().take_batch(task.py())?;
        Ok(Some(batch.into_any().unbind()))
    }

    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.queue)
    }
}
