//! Ctrl-C that cannot be raised where it arrives: delivered to the main task's next sleep.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::core::entry_queue::Call;
use crate::core::Runner;
use crate::kernel::tripwires::tripwire;
use crate::task::deliver_pending;

/// Interrupts the main task if it sleeps.
#[pyclass(frozen, module = "trio._core._run")]
struct InterruptMainTask {
    runner: Py<Runner>,
}

#[pymethods]
impl InterruptMainTask {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let run = self.runner.get();
        if !run.interrupt_pending.get(py) {
            return Ok(());
        }
        match run.main_task.get(py) {
            Some(task) => deliver_pending(task.bind(py)),
            None => Ok(()),
        }
    }
}

/// Notes that Ctrl-C was pressed, and wakes the loop so that the main task gets it.
#[pyfunction]
pub fn deliver_interrupt(py: Python<'_>, runner: Py<Runner>) -> PyResult<()> {
    let run = runner.get();
    tripwire!(InterruptDelivered);
    run.interrupt_pending.set(py, true);
    let queue = run.entry.clone();
    let function = Py::new(py, InterruptMainTask { runner })?.into_any();
    // A run that is over has no use for the call; its result will be the interrupt.
    queue.push(py, Call { function, args: PyTuple::empty(py).unbind() }).ok();
    Ok(())
}
