//! A run as a guest of another loop.
//!
//! The host keeps its thread; the run borrows it for one tick at a time. Between ticks it needs the
//! poller's answer: a look without waiting first, and only if nothing is ready and there is time to
//! wait, a worker thread that sleeps in the poller and then asks the host to call back.
//!
//! The run's `guest_tick_scheduled` is true while the host has been asked for a tick, and false while a
//! worker thread waits in the poller; `Runner::nudge_host` cuts the second state short.
//!
//! The run does not refer to its driver: the host's callbacks keep it alive, and if the host drops
//! them, the run has been abandoned.

use std::time::Duration;

use pyo3::exceptions::PyRuntimeWarning;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};

use super::entry::{guarded, launch};
use super::tick::{take_events, Ticker};
use crate::core::poller::PollSet;
use crate::core::Runner;
use crate::interop::cell::{LoopCell, LoopRef, LoopValue};
use crate::interop::errors::{internal_error, os_error, with_exception_aside};
use crate::interop::gc::{gc_fields, Trace};
use crate::interop::imports;
use crate::interop::outcome::to_object;
use crate::interop::panics::surviving;
use crate::kernel::tripwires::tripwire;

/// What a worker thread brings back from the poller.
enum Found {
    /// Nobody has looked yet.
    Nothing,
    /// The poll set, with the events inside.
    Events(Box<PollSet>),
    /// The tick does not need a poll (it has been done, or failed).
    Done(bool),
}

/// The driver of a guest run.
#[pyclass(frozen, weakref, module = "trio._core._guest", name = "GuestRun")]
pub struct GuestRun {
    runner: LoopRef<Runner>,
    schedule_threadsafe: Py<PyAny>,
    schedule: Py<PyAny>,
    done: Py<PyAny>,
    /// Called when the run has ended, before the host is told.
    close: Py<PyAny>,
    ticker: LoopCell<Option<Ticker>>,
    found: LoopCell<Found>,
    finished: LoopValue<bool>,
}

gc_fields!(GuestRun: runner, schedule_threadsafe, schedule, done, close);

#[pymethods]
impl GuestRun {
    #[new]
    fn new(
        runner: Py<Runner>,
        run_sync_soon_threadsafe: Py<PyAny>,
        run_sync_soon_not_threadsafe: Py<PyAny>,
        done_callback: Py<PyAny>,
        close: Py<PyAny>,
    ) -> Self {
        Self {
            runner: LoopRef::new(Some(runner)),
            schedule_threadsafe: run_sync_soon_threadsafe,
            schedule: run_sync_soon_not_threadsafe,
            done: done_callback,
            close,
            ticker: LoopCell::new(Some(Ticker::new())),
            found: LoopCell::new(Found::Done(false)),
            finished: LoopValue::new(false),
        }
    }

    /// Runs ticks, without user code, until system tasks can be spawned; then asks the host for the
    /// first real tick.
    fn start(
        slf: &Bound<'_, Self>,
        init: &Bound<'_, PyAny>,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        let py = slf.py();
        let Some(runner) = slf.get().runner.get(py) else { return Ok(()) };
        let runner = runner.bind(py);
        let begun = guarded(py, || {
            launch(runner, init, args)?;
            slf.get().with_ticker(py, |ticker| {
                while runner.get().system_nursery.get(py).is_none()
                    && runner.get().living.get(py) > 0
                {
                    ticker.prepare(runner.get(), py)?;
                    let found = ticker.poll(runner.get(), py)?;
                    ticker.proceed(runner, found)?;
                }
                Ok(())
            })
        });
        let begun = begun.and_then(|()| surviving(py, || slf.get().prepare_next(slf)));
        if begun.is_err() && !slf.get().finished.get(py) {
            slf.get().finished.set(py, true);
            slf.get().runner.put(py, None);
            slf.get().close.bind(py).call0()?;
        }
        begun
    }

    /// One tick, called by the host.
    fn tick(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::answering(slf, || Self::tick_now(slf))
    }

    /// Waits in the poller; runs in a worker thread.
    fn _wait(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let Some(runner) = self.runner.get(py) else { return Ok(()) };
        tripwire!(GuestWaited);
        let set = runner.get().poller.with(py, |poller| poller.as_mut()?.take_set());
        let Some(mut set) = set else { return Ok(()) };
        let waited = py.detach(|| set.wait(Duration::from_secs_f64(timeout)));
        drop(self.found.replace(py, Found::Events(set)));
        waited.map_err(|error| os_error(py, &error))
    }

    /// The tick after a wait in a worker thread.
    fn _resume(slf: &Bound<'_, Self>, outcome: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::answering(slf, || Self::resume_now(slf, outcome))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.trace(visit)
    }

    fn __clear__(&self) {
        self.release();
    }
}

impl GuestRun {
    /// Does what the host has called for. Should that be impossible, because of a panic or because the
    /// host does not take the next call, the run ends and the host is told so; what the host's own
    /// function has raised is raised, too.
    fn answering(slf: &Bound<'_, Self>, work: impl FnOnce() -> PyResult<()>) -> PyResult<()> {
        let py = slf.py();
        let mut result = Ok(());
        let survived = surviving(py, || {
            result = work();
            Ok(())
        });
        let reason = match (survived, &result) {
            (Ok(()), Ok(())) => return result,
            (Ok(()), Err(error)) => error.clone_ref(py),
            (Err(panic), _) => panic,
        };
        if slf.get().finished.get(py) {
            return Err(reason);
        }
        slf.get().finish(py, Err(internal_error(py, reason)))?;
        result
    }

    fn tick_now(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        tripwire!(GuestTicked);
        let Some(runner) = this.runner.get(py) else { return Ok(()) };
        let runner = runner.bind(py);
        let library = imports::sniffio_thread_local(py)?;
        let previous = library.getattr(intern!(py, "name"))?;
        library.setattr(intern!(py, "name"), intern!(py, "trio"))?;
        let ticked = guarded(py, || {
            let found = match this.found.replace(py, Found::Nothing) {
                Found::Events(set) => take_events(runner.get(), py, set)?,
                Found::Done(found) => found,
                Found::Nothing => false,
            };
            this.with_ticker(py, |ticker| ticker.proceed(runner, found))
        });
        library.setattr(intern!(py, "name"), previous)?;
        match ticked {
            Err(error) => this.finish(py, Err(error)),
            Ok(()) if runner.get().living.get(py) == 0 => this.finish(py, Ok(())),
            Ok(()) => this.prepare_next(slf),
        }
    }

    fn resume_now(slf: &Bound<'_, Self>, outcome: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        slf.get().mark_scheduled(py, true);
        tripwire!(GuestResumed);
        if let Err(error) = outcome.call_method0(intern!(py, "unwrap")) {
            return slf.get().finish(py, Err(internal_error(py, error)));
        }
        Self::tick_now(slf)
    }

    /// Works with the ticker out of its cell, because ticks run Python code.
    fn with_ticker<T>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Ticker) -> PyResult<T>,
    ) -> PyResult<T> {
        let mut ticker = self.ticker.take(py).unwrap_or_else(Ticker::new);
        let result = work(&mut ticker);
        self.ticker.replace(py, Some(ticker));
        result
    }

    fn mark_scheduled(&self, py: Python<'_>, scheduled: bool) {
        if let Some(runner) = self.runner.get(py) {
            runner.get().guest_tick_scheduled.set(py, scheduled);
        }
    }

    /// Finds out how long the poller may sleep and arranges for the next tick.
    fn prepare_next(&self, slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let Some(runner) = self.runner.get(py) else { return Ok(()) };
        let run = runner.get();
        tripwire!(GuestPrepared);
        let looked = guarded(py, || {
            self.with_ticker(py, |ticker| {
                let timeout = ticker.prepare(run, py)?;
                Ok((timeout, ticker.look(run, py)?))
            })
        });
        let (timeout, found) = match looked {
            Ok(looked) => looked,
            Err(error) => return self.finish(py, Err(error)),
        };
        if timeout <= 0.0 || found {
            drop(self.found.replace(py, Found::Done(found)));
            self.mark_scheduled(py, true);
            self.schedule.bind(py).call1((slf.getattr(intern!(py, "tick"))?,))?;
            return Ok(());
        }
        self.mark_scheduled(py, false);
        let wait = imports::partial(py)?.call1((slf.getattr(intern!(py, "_wait"))?, timeout))?;
        let resume = slf.getattr(intern!(py, "_resume"))?;
        let call_host = imports::call_host(py)?;
        let deliver =
            imports::partial(py)?.call1((call_host, &self.schedule_threadsafe, resume))?;
        imports::start_thread_soon(py)?.call1((wait, deliver))?;
        Ok(())
    }

    /// Ends the run and tells the host how it went.
    fn finish(&self, py: Python<'_>, result: PyResult<()>) -> PyResult<()> {
        self.finished.set(py, true);
        let Some(runner) = self.runner.take(py) else { return Ok(()) };
        let closed = self.close.bind(py).call0();
        let outcome = match result.and(closed.map(|_| ())) {
            Ok(()) => runner.get().main_outcome.take(py).unwrap_or_else(|| Ok(py.None())),
            Err(error) => Err(error.into_value(py)),
        };
        let told =
            to_object(py, outcome).or_else(|error| to_object(py, Err(error.into_value(py))))?;
        self.done.bind(py).call1((told,))?;
        Ok(())
    }
}

impl Drop for GuestRun {
    fn drop(&mut self) {
        Python::try_attach(|py| {
            if self.finished.get(py) || self.runner.take(py).is_none() {
                return;
            }
            let text = c"Trio guest run got abandoned without properly finishing... weird stuff might happen";
            with_exception_aside(py, || {
                if let Err(error) = PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), text, 1) {
                    error.write_unraisable(py, None);
                }
                if let Err(error) = self.close.bind(py).call0() {
                    error.write_unraisable(py, None);
                }
            });
        });
    }
}
