//! The poller: where the loop sleeps until something happens.
//!
//! An mio poll set, the [`Registrations`] that its events are about, and two ways by which threads and
//! signal handlers end the sleep.
//!
//! The table is touched by the loop's thread only. The poll itself may happen elsewhere (in guest mode
//! in a worker thread) because [`PollSet`] can be taken out; registering meanwhile is fine for epoll.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::registrations::Registrations;
use crate::interop::gc::Trace;
use crate::kernel::tripwires::tripwire;
use crate::task::Task;

const SIGNAL: Token = Token(usize::MAX);
const WAKEUP: Token = Token(usize::MAX - 1);
const EVENTS_PER_POLL: usize = 512;

/// The two ways to make a poll in progress return: an event counter for threads, which never has to
/// be read because its registration is edge-triggered, and a socket for signals, because
/// `signal.set_wakeup_fd` writes single bytes, which a counter refuses.
struct Ways {
    counter: Waker,
    signals: UnixStream,
}

impl Ways {
    /// Nobody is there to hear of a failure, and a wake-up that is lost can stop a program: what one
    /// way refuses is tried by the other, and an interrupted attempt is repeated.
    fn wake(&self) {
        if uninterrupted(|| self.counter.wake()).is_err() {
            uninterrupted(|| (&self.signals).write(&[0]).map(drop)).ok();
        }
    }
}

fn uninterrupted(mut call: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Makes a poll in progress return. Empty once the run has ended, although tokens may keep this
/// object.
///
/// The mutex is taken with the interpreter lock held and never across a system call: a child that
/// was forked meanwhile finds it free.
pub struct Wakeup {
    ways: Mutex<Option<Arc<Ways>>>,
}

impl Wakeup {
    /// Wakes the poller.
    pub fn wake(&self) {
        if let Some(ways) = self.ways() {
            ways.wake();
        }
    }

    /// Wakes the poller without the interpreter lock: the loop's thread may start to run within this
    /// very call, and with the lock taken could only go back to sleep.
    pub fn wake_detached(&self, py: Python<'_>) {
        if let Some(ways) = self.ways() {
            py.detach(|| ways.wake());
        }
    }

    /// The descriptor that `signal.set_wakeup_fd` may write to; -1 once the run has ended.
    pub fn fd(&self) -> RawFd {
        self.ways.lock().as_ref().map_or(-1, |ways| ways.signals.as_raw_fd())
    }

    /// Closes both ways; a thread that is waking the poller right now closes them when it is done.
    pub fn close(&self) {
        let ways = self.ways.lock().take();
        drop(ways);
    }

    fn ways(&self) -> Option<Arc<Ways>> {
        self.ways.lock().clone()
    }
}

/// What a poll found; also the part of the poller that can leave for another thread.
pub struct PollSet {
    poll: Poll,
    events: Events,
}

impl PollSet {
    /// Waits for events, at most for `timeout`. A signal ends the wait early without events.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        tripwire!(Polled);
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            other => other,
        }
    }

    /// Did the last wait find nothing?
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// The poller and its table.
pub struct Poller {
    set: Option<Box<PollSet>>,
    receiver: UnixStream,
    /// Who waits for which descriptor.
    pub table: Registrations,
}

impl Poller {
    /// Opens the poller and the ways to wake it.
    pub fn open() -> io::Result<(Self, Arc<Wakeup>)> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let (receiver, signals) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        signals.set_nonblocking(true)?;
        registry.register(&mut SourceFd(&receiver.as_raw_fd()), SIGNAL, Interest::READABLE)?;
        let counter = Waker::new(&registry, WAKEUP)?;
        let ways = Arc::new(Ways { counter, signals });
        let set = Some(Box::new(PollSet { poll, events: Events::with_capacity(EVENTS_PER_POLL) }));
        let poller = Self { set, receiver, table: Registrations::new(registry) };
        Ok((poller, Arc::new(Wakeup { ways: Mutex::new(Some(ways)) })))
    }

    /// Takes the poll set out, to wait with it while the table stays usable.
    pub fn take_set(&mut self) -> Option<Box<PollSet>> {
        self.set.take()
    }

    /// Gives the poll set back and reads its events: tasks that are due are appended to `woken`.
    pub fn put_set(&mut self, set: Box<PollSet>, woken: &mut Vec<Py<Task>>) {
        for event in &set.events {
            match event.token() {
                WAKEUP => {}
                SIGNAL => self.drain_signals(),
                _ => self.table.deliver(event, woken),
            }
        }
        self.set = Some(set);
    }

    /// How many tasks wait to read, and to write.
    pub fn waiting(&self) -> (usize, usize) {
        self.table.waiting()
    }

    fn drain_signals(&mut self) {
        let mut buffer = [0; 256];
        loop {
            match self.receiver.read(&mut buffer) {
                Ok(count) if count == buffer.len() => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    }
}

impl Trace for Poller {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.table.trace(visit)
    }
}
