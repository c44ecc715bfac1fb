//! Which descriptors the poller watches, and who waits for them.
//!
//! The table has a place for every descriptor number, for numbers are small. There are two ways to
//! be in it:
//!
//! - *Lent*: the number was given to `wait_readable` or `wait_writable`. The user may close it and
//!   reuse it at any time, so every wait tells the kernel anew, and the entry goes away with its last
//!   waiter.
//! - *Owned*: a socket of ours said that the number is its own and that it will say when it is not any
//!   more. It is registered once, for everything, and its [`Readiness`] is remembered.
//!
//! Either way mio reports edges, and telling the kernel anew makes it report again what is the case
//! already. A lent wait on an owned descriptor does that, too, and so is safe from what happened before.
//!
//! A number is not a file. Each registration has a generation, unique in the process, whose lower half
//! travels in the event's token: an event of an earlier registration is ignored. And before an entry
//! is used for a new purpose the kernel is asked to change its registration, which it refuses if the
//! number stands for another file by now: then whoever still waits for the former file is turned out,
//! to find out for themselves.
//!
//! Invariants: at most one reader and one writer per descriptor; generation 0 means not registered,
//! and then there are no waiters; a lent entry has waiters; a task that sleeps with the plan to leave an
//! entry is in it.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use rustix::io::Errno;

use crate::interop::gc::Trace;
use crate::kernel::{Direction, Readiness, Report};
use crate::task::Task;

/// Everything that can be reported. Urgent data is asked for to know that it may be there.
const EVERYTHING: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);

/// What the kernel is to report.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    /// What the waiters wait for.
    Waiters,
    /// That, and one direction more.
    Also(Direction),
    /// Whatever there is.
    Everything,
}

/// Why a task could not begin to wait.
pub enum Refused {
    /// Another task waits for the same direction.
    Busy,
    /// The kernel does not want to watch the descriptor.
    Os(Errno),
}

#[derive(Default)]
struct Entry {
    generation: u64,
    owned: bool,
    readiness: Readiness,
    reader: Option<Py<Task>>,
    writer: Option<Py<Task>>,
}

impl Entry {
    fn slot(&mut self, direction: Direction) -> &mut Option<Py<Task>> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    /// What the kernel has to watch for; `None` if nobody cares.
    fn interest(&self, want: Want) -> Option<Interest> {
        if self.owned || want == Want::Everything {
            return Some(EVERYTHING);
        }
        let read = self.reader.is_some() || want == Want::Also(Direction::Read);
        let write = self.writer.is_some() || want == Want::Also(Direction::Write);
        match (read, write) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }

    fn token(&self, fd: RawFd) -> Token {
        #[allow(clippy::cast_possible_truncation, reason = "the lower half is meant")]
        Token((self.generation as u32 as usize) << 32 | fd.unsigned_abs() as usize)
    }
}

/// Takes a token apart: the descriptor, and the lower half of the generation.
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "as in `token`")]
fn unpack(token: Token) -> (RawFd, u32) {
    (token.0 as u32 as RawFd, (token.0 >> 32) as u32)
}

fn fresh_generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// The table.
pub struct Registrations {
    registry: Registry,
    entries: Vec<Entry>,
}

impl Registrations {
    /// An empty table.
    pub fn new(registry: Registry) -> Self {
        Self { registry, entries: Vec::new() }
    }

    /// Lets `task` wait for a lent descriptor, or gives it back with the reason why it cannot. Tasks
    /// that are turned out are appended to `woken`.
    pub fn wait(
        &mut self,
        fd: RawFd,
        direction: Direction,
        task: Py<Task>,
        woken: &mut Vec<Py<Task>>,
    ) -> Result<(), (Refused, Py<Task>)> {
        match self.tell_kernel(fd, Want::Also(direction), woken) {
            Ok(entry) => Self::seat(entry, direction, task),
            Err(error) => Err((Refused::Os(error), task)),
        }
    }

    /// Lets `task` wait for an owned descriptor; otherwise like [`Registrations::wait`].
    #[inline]
    pub fn wait_owned(
        &mut self,
        fd: RawFd,
        direction: Direction,
        task: Py<Task>,
    ) -> Result<(), (Refused, Py<Task>)> {
        match self.entry(fd) {
            Some(entry) if entry.owned => Self::seat(entry, direction, task),
            _ => Err((Refused::Os(Errno::BADF), task)),
        }
    }

    #[inline]
    fn seat(
        entry: &mut Entry,
        direction: Direction,
        task: Py<Task>,
    ) -> Result<(), (Refused, Py<Task>)> {
        let slot = entry.slot(direction);
        if slot.is_some() {
            return Err((Refused::Busy, task));
        }
        *slot = Some(task);
        Ok(())
    }

    /// Registers a descriptor that somebody owns; gives the generation by which the owner refers to
    /// it. If the file is registered already, the registration is shared.
    pub fn own(&mut self, fd: RawFd, woken: &mut Vec<Py<Task>>) -> Result<u64, Errno> {
        let entry = self.tell_kernel(fd, Want::Everything, woken)?;
        if !entry.owned {
            entry.owned = true;
            entry.readiness = Readiness::default();
        }
        Ok(entry.generation)
    }

    /// What is remembered of an owned descriptor, if `generation` still is its registration.
    #[inline]
    pub fn readiness(&mut self, fd: RawFd, generation: u64) -> Option<&mut Readiness> {
        let entry = self.entry(fd)?;
        (entry.owned && entry.generation == generation).then_some(&mut entry.readiness)
    }

    /// Has the kernel report once more what an owned descriptor is ready for.
    pub fn refresh(&mut self, fd: RawFd, woken: &mut Vec<Py<Task>>) -> Result<(), Errno> {
        self.tell_kernel(fd, Want::Waiters, woken).map(drop)
    }

    /// Does a task wait for this?
    pub fn is_awaited(&mut self, fd: RawFd, direction: Direction) -> bool {
        self.entry(fd).is_some_and(|entry| entry.slot(direction).is_some())
    }

    /// Ends an ownership: the descriptor lives on without its owner.
    pub fn disown(&mut self, fd: RawFd, generation: u64, woken: &mut Vec<Py<Task>>) {
        if self.readiness(fd, generation).is_some() {
            if let Some(entry) = self.entry(fd) {
                entry.owned = false;
            }
            self.settle(fd, woken);
        }
    }

    /// Ends a wait before anything happened; hands the task out.
    pub fn withdraw(
        &mut self,
        fd: RawFd,
        direction: Direction,
        woken: &mut Vec<Py<Task>>,
    ) -> Option<Py<Task>> {
        let task = self.entry(fd)?.slot(direction).take();
        self.settle(fd, woken);
        task
    }

    /// Takes everybody who waits for `fd`, which is about to be closed.
    pub fn forget(&mut self, fd: RawFd) -> Vec<Py<Task>> {
        let mut waiting = Vec::new();
        if self.entry(fd).is_some_and(|entry| entry.generation != 0) {
            self.drop_entry(fd, &mut waiting);
        }
        waiting
    }

    /// Acts on an event: tasks that are due are appended to `woken`.
    pub fn deliver(&mut self, event: &Event, woken: &mut Vec<Py<Task>>) {
        let (fd, generation) = unpack(event.token());
        let Some(entry) = self.entry(fd) else { return };
        #[allow(clippy::cast_possible_truncation, reason = "tokens hold the lower half")]
        if entry.generation as u32 != generation {
            return;
        }
        let broken = event.is_error();
        let ended = event.is_read_closed() || broken;
        let read =
            Report { ready: event.is_readable() || ended, lasting: ended || event.is_priority() };
        let stuck = event.is_write_closed() || broken;
        let write = Report { ready: event.is_writable() || stuck, lasting: stuck };
        if read.ready {
            woken.extend(entry.reader.take());
        }
        if write.ready {
            woken.extend(entry.writer.take());
        }
        if entry.owned {
            entry.readiness.note(Direction::Read, read);
            entry.readiness.note(Direction::Write, write);
        } else {
            self.settle(fd, woken);
        }
    }

    /// How many tasks wait to read, and to write.
    pub fn waiting(&self) -> (usize, usize) {
        let readers = self.entries.iter().filter(|entry| entry.reader.is_some()).count();
        let writers = self.entries.iter().filter(|entry| entry.writer.is_some()).count();
        (readers, writers)
    }

    #[inline]
    fn entry(&mut self, fd: RawFd) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(fd).ok()?)
    }

    /// Tells the kernel what is of interest, which makes it report anew. Afterwards
    /// the entry is about the file that has the number now; on failure there is none.
    fn tell_kernel(
        &mut self,
        fd: RawFd,
        want: Want,
        woken: &mut Vec<Py<Task>>,
    ) -> Result<&mut Entry, Errno> {
        let place = usize::try_from(fd).map_err(|_| Errno::BADF)?;
        let mut source = SourceFd(&fd);
        if let Some(entry) = self.entries.get(place).filter(|entry| entry.generation != 0) {
            let interest = entry.interest(want).unwrap_or(EVERYTHING);
            match self.registry.reregister(&mut source, entry.token(fd), interest) {
                Ok(()) => return Ok(&mut self.entries[place]),
                // Another file has the number now, and the kernel has forgotten the former one.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.vacate(place, woken);
                }
                Err(error) => {
                    self.vacate(place, woken);
                    return Err(errno(&error));
                }
            }
        }
        let fresh = Entry { generation: fresh_generation(), ..Entry::default() };
        let (token, interest) = (fresh.token(fd), fresh.interest(want).unwrap_or(EVERYTHING));
        match self.registry.register(&mut source, token, interest) {
            // The same open file is still registered from when the number was used for it before.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.registry.reregister(&mut source, token, interest)
            }
            result => result,
        }
        .map_err(|error| errno(&error))?;
        if self.entries.len() <= place {
            self.entries.resize_with(place + 1, Entry::default);
        }
        self.entries[place] = fresh;
        Ok(&mut self.entries[place])
    }

    /// Keeps a lent entry in step with its waiters. If the kernel refuses, they are turned out.
    fn settle(&mut self, fd: RawFd, woken: &mut Vec<Py<Task>>) {
        let Some(entry) = self.entry(fd) else { return };
        if entry.owned || entry.generation == 0 {
            return;
        }
        if entry.interest(Want::Waiters).is_none() {
            self.drop_entry(fd, woken);
        } else {
            // On failure everybody has been turned out, and will meet the error when trying again.
            self.tell_kernel(fd, Want::Waiters, woken).ok();
        }
    }

    fn drop_entry(&mut self, fd: RawFd, woken: &mut Vec<Py<Task>>) {
        // The descriptor may be closed already: then the kernel has forgotten it by itself.
        self.registry.deregister(&mut SourceFd(&fd)).ok();
        if let Ok(place) = usize::try_from(fd) {
            self.vacate(place, woken);
        }
    }

    fn vacate(&mut self, place: usize, woken: &mut Vec<Py<Task>>) {
        let Entry { reader, writer, .. } = std::mem::take(&mut self.entries[place]);
        woken.extend(reader.into_iter().chain(writer));
    }
}

impl Trace for Registrations {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.entries.iter().try_for_each(|entry| {
            entry.reader.trace(visit)?;
            entry.writer.trace(visit)
        })
    }
}
