//! One tick: timeout, poll, deadlines, calm, batch.
//!
//! The tick is cut in two at the poll, so that a guest run can wait for events elsewhere:
//! [`prepare`] says how long the poller may sleep, [`proceed`] acts on what it found and runs the
//! batch.
//!
//! While tasks are runnable the poll is only a look at what is ready, and costs more than a whole
//! step. It is then done once per [`STEPS_PER_POLL`] steps or [`POLL_INTERVAL`], whichever comes
//! first, unless an instrument watches. Reading the clock has its price, too, so it is not read after
//! every step, but often enough in view of how long steps have taken. Under a clock that the program
//! supplies every tick looks: there time stands still, and the order of events is all that tests can
//! observe.

use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::step::step;
use crate::cancel::CancelScope;
use crate::core::instruments::Hook;
use crate::core::poller::PollSet;
use crate::core::{Due, Runner};
use crate::interop::errors::{os_error, TrioInternalError};
use crate::interop::fallible::raise;
use crate::interop::panics::Witness;
use crate::interop::prefetch::prefetch;
use crate::kernel::tripwires::tripwire;
use crate::kernel::DeadlineHeap;
use crate::task::{reschedule, Resume, Task};
use crate::wake::wake_entry_task;

/// The longest sleep of the poller, in seconds: a day.
const MAX_TIMEOUT: f64 = 86400.0;
/// How many steps may pass between two looks at the poller.
const STEPS_PER_POLL: usize = 64;
/// How much time may pass between two looks at the poller, as far as the clock is read.
const POLL_INTERVAL: Duration = Duration::from_micros(500);
/// After how many steps the clock is read first.
const STEPS_BEFORE_CLOCK_READ: usize = 4;
/// From which number of tasks on it pays to fetch their memory ahead.
const CROWD: usize = 32;
/// How much time may pass between two looks at the clock if steps go on as they did.
const CLOCK_INTERVAL: Duration = Duration::from_micros(60);

/// What to do if nothing happens during the poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnCalm {
    Nothing,
    WakeIdleWaiters,
    AutojumpClock,
}

/// What a tick has to remember across the poll, and the loop across ticks.
pub struct Ticker {
    on_calm: OnCalm,
    timeout: f64,
    steps_since_poll: usize,
    next_clock_read: usize,
    skipped: bool,
    last_poll: Instant,
    coins: Coins,
    panics: Witness,
}

impl Ticker {
    /// For a loop that has not polled yet.
    pub fn new() -> Self {
        Self {
            on_calm: OnCalm::Nothing,
            timeout: 0.0,
            steps_since_poll: 0,
            next_clock_read: STEPS_BEFORE_CLOCK_READ,
            skipped: false,
            last_poll: Instant::now(),
            coins: Coins::default(),
            panics: Witness::new(),
        }
    }

    /// The first half of a tick: how many seconds may the poller sleep?
    pub fn prepare(&mut self, runner: &Runner, py: Python<'_>) -> PyResult<f64> {
        tripwire!(TickPrepared);
        wake_entry_task(py, runner)?;
        self.on_calm = OnCalm::Nothing;
        self.timeout = 0.0;
        if runner.queue.with(py, |queue| queue.is_empty()) {
            // A clock of the program's is asked even if there is no deadline.
            let next = runner.deadlines.with(py, |heap| heap.next()).unwrap_or(f64::INFINITY);
            self.timeout = runner.clock.sleep_time(py, next)?.clamp(0.0, MAX_TIMEOUT);
            self.plan_for_calm(runner, py);
        }
        let instruments = runner.instruments.get();
        if instruments.watch(py, Hook::BeforeIoWait) {
            instruments.notify(py, Hook::BeforeIoWait, &PyTuple::new(py, [self.timeout])?);
        }
        Ok(self.timeout)
    }

    fn plan_for_calm(&mut self, runner: &Runner, py: Python<'_>) {
        if let Some(cushion) = runner.idle.with(py, |idle| idle.lowest_cushion()) {
            if cushion < self.timeout {
                self.timeout = cushion.max(0.0);
                self.on_calm = OnCalm::WakeIdleWaiters;
            }
        } else if runner.autojump_threshold.get(py) < self.timeout {
            self.timeout = runner.autojump_threshold.get(py).max(0.0);
            self.on_calm = OnCalm::AutojumpClock;
        }
    }

    /// Polls, where a poll is due, and lets go of the interpreter lock if that can take time.
    pub fn poll(&mut self, runner: &Runner, py: Python<'_>) -> PyResult<bool> {
        self.skipped = false;
        if self.timeout <= 0.0 && !self.poll_is_due(runner, py) {
            self.skipped = true;
            return Ok(false);
        }
        self.poll_now(runner, py)
    }

    fn poll_now(&mut self, runner: &Runner, py: Python<'_>) -> PyResult<bool> {
        self.steps_since_poll = 0;
        self.next_clock_read = STEPS_BEFORE_CLOCK_READ;
        let Some(mut set) = runner.poller.with(py, |poller| poller.as_mut()?.take_set()) else {
            return Ok(false);
        };
        let timeout = Duration::from_secs_f64(self.timeout);
        let waited =
            if timeout.is_zero() { set.wait(timeout) } else { py.detach(|| set.wait(timeout)) };
        self.last_poll = Instant::now();
        let found = take_events(runner, py, set)?;
        waited.map_err(|error| os_error(py, &error))?;
        py.check_signals()?;
        Ok(found)
    }

    /// Looks at what is ready now, without waiting; for guest runs.
    pub fn look(&mut self, runner: &Runner, py: Python<'_>) -> PyResult<bool> {
        let timeout = std::mem::replace(&mut self.timeout, 0.0);
        let found = self.poll(runner, py);
        self.timeout = timeout;
        found
    }

    fn poll_is_due(&mut self, runner: &Runner, py: Python<'_>) -> bool {
        self.steps_since_poll >= STEPS_PER_POLL
            || runner.instruments.get().watch_io(py)
            || runner.clock.is_custom()
            || runner.queue.with(py, |queue| queue.is_empty())
            || (self.steps_since_poll >= self.next_clock_read && self.interval_is_over())
    }

    /// Reads the clock, and plans when to do so again.
    fn interval_is_over(&mut self) -> bool {
        let elapsed = self.last_poll.elapsed();
        let pace = CLOCK_INTERVAL.as_secs_f64() / elapsed.as_secs_f64();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let steps = (self.steps_since_poll as f64 * pace) as usize;
        self.next_clock_read = self.steps_since_poll + steps.clamp(1, STEPS_PER_POLL);
        elapsed >= POLL_INTERVAL
    }

    /// The second half of a tick; `found` says whether the poll had events.
    pub fn proceed(&mut self, runner: &Bound<'_, Runner>, found: bool) -> PyResult<()> {
        let py = runner.py();
        let run = runner.get();
        let instruments = run.instruments.get();
        if instruments.watch(py, Hook::AfterIoWait) {
            instruments.notify(py, Hook::AfterIoWait, &PyTuple::new(py, [self.timeout])?);
        }
        wake_entry_task(py, run)?;
        let expired = self.expire_deadlines(run, py)?;
        if self.on_calm != OnCalm::Nothing && !found && !expired {
            self.act_on_calm(run, py)?;
        }
        self.run_batch(runner)?;
        self.panics.ask(py)
    }

    /// Lets everything happen that is due. Events that came before a deadline are to be seen before it
    /// passes, so a poll that this tick has skipped is made up for.
    fn expire_deadlines(&self, run: &Runner, py: Python<'_>) -> PyResult<bool> {
        let Some(next) = run.deadlines.with(py, |heap| heap.next()) else { return Ok(false) };
        let now = run.clock.now(py)?;
        if next > now {
            return Ok(false);
        }
        if self.skipped {
            look(run, py)?;
        }
        while let Some(due) = run.deadlines.with(py, |heap| pop_due(heap, now)) {
            match due {
                Due::Scope(scope) => CancelScope::expire(scope.bind(py))?,
                Due::Sleeper(task) => reschedule(task.bind(py), Resume::Nothing)?,
            }
        }
        Ok(true)
    }

    fn act_on_calm(&self, run: &Runner, py: Python<'_>) -> PyResult<()> {
        if !run.queue.with(py, |queue| queue.is_empty()) {
            return Ok(());
        }
        tripwire!(CalmReached);
        if self.on_calm == OnCalm::AutojumpClock {
            run.clock.object(py).bind(py).call_method0(intern!(py, "_autojump"))?;
            return Ok(());
        }
        let waiters = run.idle.with(py, |idle| idle.take_lowest());
        waiters.into_iter().try_for_each(|task| reschedule(task.bind(py), Resume::Nothing))
    }

    fn run_batch(&mut self, runner: &Bound<'_, Runner>) -> PyResult<()> {
        let py = runner.py();
        let run = runner.get();
        if let Some(task) = run.queue.with(py, |queue| queue.take_single()) {
            self.steps_since_poll += 1;
            return step(runner, &task.into_bound(py));
        }
        let batch = run.queue.with(py, |queue| queue.take_batch());
        self.steps_since_poll += batch.len();
        let mut batch = Batch { runner, tasks: self.reversed_order(run, py, batch)? };
        tripwire!(BatchRun);
        while let Some(task) = batch.tasks.pop() {
            if batch.tasks.len() >= CROWD {
                fetch_ahead(py, &batch.tasks);
            }
            step(runner, &task.into_bound(py))?;
        }
        Ok(())
    }

    /// Puts a batch into the order in which it runs, the first task last: by chance forwards or
    /// backwards, or as the seeded generator shuffles it where a deterministic schedule is asked for.
    fn reversed_order(
        &mut self,
        run: &Runner,
        py: Python<'_>,
        mut batch: Vec<Py<Task>>,
    ) -> PyResult<Vec<Py<Task>>> {
        if batch.len() < 2 {
            return Ok(batch);
        }
        let namespace = run.options.namespace.bind(py);
        let switch = namespace.get_item(intern!(py, "_ALLOW_DETERMINISTIC_SCHEDULING"))?;
        if switch.map_or(Ok(false), |switch| switch.is_truthy())? {
            batch.sort_by_key(|task| task.get().number);
            let order = PyList::new(py, batch)?;
            generator(namespace)?.call_method1(intern!(py, "shuffle"), (&order,))?;
            batch = order.extract()?;
        } else if self.coins.toss(namespace)? {
            batch.reverse();
        }
        Ok(batch)
    }
}

/// Takes what is due, and has fetched what is due next.
#[inline]
fn pop_due(heap: &mut DeadlineHeap<Due>, now: f64) -> Option<Due> {
    let due = heap.pop_due(now)?;
    tripwire!(DeadlineDue);
    if let Some(Due::Sleeper(next)) = heap.next_value() {
        prefetch(next);
    }
    Some(due)
}

/// Random bits, fetched by the word: a call of Python's generator for every batch would cost as much
/// as a task's step.
#[derive(Default)]
struct Coins {
    bits: u64,
    left: u32,
}

impl Coins {
    fn toss(&mut self, namespace: &Bound<'_, PyDict>) -> PyResult<bool> {
        if self.left == 0 {
            let py = namespace.py();
            let word =
                generator(namespace)?.call_method1(intern!(py, "getrandbits"), (u64::BITS,))?;
            (self.bits, self.left) = (word.extract()?, u64::BITS);
        }
        let heads = self.bits & 1 == 1;
        self.bits >>= 1;
        self.left -= 1;
        Ok(heads)
    }
}

/// The generator `_r` of `trio._core._run`, which programs may seed or replace.
fn generator<'py>(namespace: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    let py = namespace.py();
    match namespace.get_item(intern!(py, "_r"))? {
        Some(random) => Ok(random),
        None => Err(raise::<TrioInternalError>(py, "trio._core._run._r is gone")),
    }
}

/// A batch under way, the next task last. If a step fails, what has not run goes back into the queue,
/// so that nothing is lost before the run is torn down.
struct Batch<'a, 'py> {
    runner: &'a Bound<'py, Runner>,
    tasks: Vec<Py<Task>>,
}

impl Drop for Batch<'_, '_> {
    fn drop(&mut self) {
        let tasks = &mut self.tasks;
        self.runner.get().queue.with(self.runner.py(), |queue| {
            while let Some(task) = tasks.pop() {
                queue.push(task);
            }
            queue.recycle(std::mem::take(tasks));
        });
    }
}

/// Has fetched what the steps after the next one will touch: a task first, and what it refers to when the
/// reference can be followed without waiting.
#[inline]
fn fetch_ahead(py: Python<'_>, tasks: &[Py<Task>]) {
    let ahead = |steps: usize| tasks.len().checked_sub(steps).and_then(|at| tasks.get(at));
    if let Some(task) = ahead(4) {
        prefetch(task);
    }
    if let Some(task) = ahead(2) {
        task.get().prefetch_coroutine(py);
    }
}

/// Looks at what is ready now.
fn look(run: &Runner, py: Python<'_>) -> PyResult<()> {
    let Some(mut set) = run.poller.with(py, |poller| poller.as_mut()?.take_set()) else {
        return Ok(());
    };
    let looked = set.wait(Duration::ZERO);
    take_events(run, py, set)?;
    looked.map_err(|error| os_error(py, &error))
}

/// Reads the events of a poll and makes the tasks runnable that waited for them.
pub fn take_events(runner: &Runner, py: Python<'_>, set: Box<PollSet>) -> PyResult<bool> {
    let found = !set.is_empty();
    let mut woken = Vec::new();
    let unused = runner.poller.with(py, |poller| match poller {
        Some(poller) => {
            poller.put_set(set, &mut woken);
            tripwire!(EventsRead);
            None
        }
        None => Some(set),
    });
    drop(unused);
    for task in woken {
        reschedule(task.bind(py), Resume::Nothing)?;
    }
    Ok(found)
}
