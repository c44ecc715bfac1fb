//! System calls that move octets between sockets and Python's memory.
//!
//! They never block (`MSG_DONTWAIT`), so the interpreter lock is kept; that is also what makes them
//! sound: while a call runs no Python code does, hence nobody closes the descriptor, resizes or
//! frees the memory. An interrupted call is repeated.
//!
//! Results are nested: outside an exception from Python (an unsuitable buffer, no memory), inside what
//! the kernel said. A negative descriptor is a closed socket's, and gives the kernel's answer to that.

use std::cell::RefCell;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr::NonNull;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::{retry_on_intr, Errno};
use rustix::net::addr::SocketAddrArg;
use rustix::net::{recv, recvfrom, send, sendto, RecvFlags, SendFlags, SocketAddrAny};

/// What the kernel said.
pub type Answer<T> = Result<T, Errno>;

/// A datagram, or what there is to say about one, and where it came from.
pub type Arrival<T> = (T, Option<SocketAddrAny>);

/// Reads up to this size go through a buffer of the thread if little is expected.
const SCRATCH: usize = 64 * 1024;

type Octets = [MaybeUninit<u8>];

extern "C" {
    /// Changes the size of a bytes object that nobody else has seen yet. A public function,
    /// in spite of its name.
    fn _PyBytes_Resize(object: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> c_int;
}

thread_local! {
    static BUFFER: RefCell<Vec<MaybeUninit<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Lends a descriptor to a system call.
pub fn with_descriptor<T>(fd: RawFd, call: impl FnOnce(BorrowedFd<'_>) -> Answer<T>) -> Answer<T> {
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: the number is not -1. If it should be closed after all, the kernel refuses it: nothing
    // here relies on its being open.
    call(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Receives at most `limit` octets into a new bytes object.
///
/// Into the object itself if `plenty` are expected: it is made large and cut. Else through a buffer of
/// the thread, so that a short message costs an object of its own size only.
#[inline]
pub fn receive(
    py: Python<'_>,
    fd: RawFd,
    limit: usize,
    plenty: bool,
) -> PyResult<Answer<Bound<'_, PyBytes>>> {
    new_bytes(py, limit, plenty, |octets| take(fd, octets))
}

/// Receives one datagram of at most `limit` octets; says where it came from.
pub fn receive_from(
    py: Python<'_>,
    fd: RawFd,
    limit: usize,
) -> PyResult<Answer<Arrival<Bound<'_, PyBytes>>>> {
    let mut sender = None;
    let received = new_bytes(py, limit, false, |octets| {
        let (count, address) = take_from(fd, octets)?;
        sender = address;
        Ok(count)
    })?;
    Ok(received.map(|octets| (octets, sender)))
}

/// Receives into a writable buffer, at most `limit` octets (0 meaning as many as there is room for).
/// Gives their number, and how many there could have been; `None` if the buffer is too small or empty.
pub fn receive_into(
    fd: RawFd,
    target: &Bound<'_, PyAny>,
    limit: usize,
) -> PyResult<Option<Answer<(usize, usize)>>> {
    with_room(target, limit, |room| take(fd, room).map(|count| (count, room.len())))
}

/// [`receive_into`] for one datagram; says where it came from.
pub fn receive_from_into(
    fd: RawFd,
    target: &Bound<'_, PyAny>,
    limit: usize,
) -> PyResult<Option<Answer<Arrival<usize>>>> {
    with_room(target, limit, |room| take_from(fd, room))
}

/// Could [`receive_into`] do something with this?
pub fn has_room(target: &Bound<'_, PyAny>, limit: usize) -> bool {
    with_room(target, limit, |_| ()).is_ok_and(|room| room.is_some())
}

/// Sends what follows the first `skip` octets of a buffer; says how many went and how many there were.
#[inline]
pub fn transmit(
    fd: RawFd,
    source: &Bound<'_, PyAny>,
    skip: usize,
) -> PyResult<Answer<(usize, usize)>> {
    with_octets(source, |octets| {
        let rest = octets.get(skip..).unwrap_or_default();
        let sent = with_descriptor(fd, |fd| retry_on_intr(|| send(fd, rest, SendFlags::DONTWAIT)));
        sent.map(|count| (count, rest.len()))
    })
}

/// Sends a buffer to an address.
pub fn transmit_to(
    fd: RawFd,
    source: &Bound<'_, PyAny>,
    address: &impl SocketAddrArg,
) -> PyResult<Answer<usize>> {
    with_octets(source, |octets| {
        with_descriptor(fd, |fd| retry_on_intr(|| sendto(fd, octets, SendFlags::DONTWAIT, address)))
    })
}

/// Asks the kernel whether a read (or a write) would get on now.
pub fn is_ready(fd: RawFd, write: bool) -> bool {
    let wanted = if write { PollFlags::OUT } else { PollFlags::IN };
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let found = with_descriptor(fd, |fd| {
        retry_on_intr(|| poll(&mut [PollFd::from_borrowed_fd(fd, wanted)], Some(&now)))
    });
    // If it cannot be asked, trying will tell.
    found != Ok(0)
}

fn take(fd: RawFd, room: &mut Octets) -> Answer<usize> {
    with_descriptor(fd, |fd| {
        retry_on_intr(|| recv(fd, &mut *room, RecvFlags::DONTWAIT).map(|(_, count)| count))
    })
}

fn take_from(fd: RawFd, room: &mut Octets) -> Answer<Arrival<usize>> {
    with_descriptor(fd, |fd| {
        retry_on_intr(|| {
            let (_, count, address) = recvfrom(fd, &mut *room, RecvFlags::DONTWAIT)?;
            Ok((count, address))
        })
    })
}

/// A bytes object with what `fill` writes; it says how many octets these are, from the start of the
/// room that it is given.
#[inline]
fn new_bytes(
    py: Python<'_>,
    limit: usize,
    plenty: bool,
    fill: impl FnOnce(&mut Octets) -> Answer<usize>,
) -> PyResult<Answer<Bound<'_, PyBytes>>> {
    if plenty || limit > SCRATCH {
        return new_bytes_in_place(py, limit, fill);
    }
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.is_empty() {
            buffer.resize(SCRATCH, MaybeUninit::uninit());
        }
        let room = &mut buffer[..limit];
        Ok(fill(room).map(|count| {
            let octets = &room[..count];
            // SAFETY: `fill` has written that many; `MaybeUninit<u8>` has the layout of `u8`.
            let octets = unsafe { &*(std::ptr::from_ref(octets) as *const [u8]) };
            PyBytes::new(py, octets)
        }))
    })
}

fn new_bytes_in_place(
    py: Python<'_>,
    limit: usize,
    fill: impl FnOnce(&mut Octets) -> Answer<usize>,
) -> PyResult<Answer<Bound<'_, PyBytes>>> {
    let size = isize::try_from(limit)?;
    // SAFETY: with a null pointer the call makes an object of that size with undefined content, or
    // sets an exception. The object has no other owner, so it may be written to, and cut.
    unsafe {
        let mut object = ffi::PyBytes_FromStringAndSize(std::ptr::null(), size);
        if object.is_null() {
            return Err(PyErr::fetch(py));
        }
        let start = ffi::PyBytes_AsString(object).cast::<MaybeUninit<u8>>();
        match fill(std::slice::from_raw_parts_mut(start, limit)) {
            Ok(count) => {
                // Not more than there was room for, so that nothing undefined becomes visible. On
                // failure the call releases the object and leaves null behind.
                let count = isize::try_from(count).unwrap_or(size).min(size);
                if count < size && _PyBytes_Resize(&raw mut object, count) < 0 {
                    return Err(PyErr::fetch(py));
                }
                Ok(Ok(Bound::from_owned_ptr(py, object).cast_into_unchecked()))
            }
            Err(errno) => {
                ffi::Py_DECREF(object);
                Ok(Err(errno))
            }
        }
    }
}

/// An exported buffer; in place, because exporters may point into the structure itself.
struct View<'a>(&'a mut ffi::Py_buffer);

impl Drop for View<'_> {
    fn drop(&mut self) {
        // SAFETY: `with_view` filled the structure in, and it has not moved.
        unsafe { ffi::PyBuffer_Release(self.0) };
    }
}

/// Exports a contiguous buffer for the duration of `work`, which must not run Python code.
#[inline]
fn with_view<T>(
    object: &Bound<'_, PyAny>,
    flags: c_int,
    work: impl FnOnce(*mut u8, usize) -> T,
) -> PyResult<T> {
    let mut place = ffi::Py_buffer::new();
    // SAFETY: the object is alive and `place` is a valid place for its answer.
    if unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut place, flags) } < 0 {
        return Err(PyErr::fetch(object.py()));
    }
    let view = View(&mut place);
    let length = usize::try_from(view.0.len).unwrap_or(0);
    // A buffer of no octets may have no address.
    let start = if length == 0 { NonNull::dangling().as_ptr() } else { view.0.buf.cast() };
    Ok(work(start, length))
}

/// The octets of a readable buffer.
#[inline]
fn with_octets<T>(object: &Bound<'_, PyAny>, work: impl FnOnce(&[u8]) -> T) -> PyResult<T> {
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return Ok(work(bytes.as_bytes()));
    }
    with_view(object, ffi::PyBUF_SIMPLE, |start, length| {
        // SAFETY: the exporter vouches for the memory until the view is released, and nothing
        // writes to it while the interpreter lock is held and no Python code runs.
        work(unsafe { std::slice::from_raw_parts(start, length) })
    })
}

/// Room in a writable buffer: its first `limit` octets, or all if that is 0. `None` if it is smaller, or
/// empty.
fn with_room<T>(
    object: &Bound<'_, PyAny>,
    limit: usize,
    work: impl FnOnce(&mut Octets) -> T,
) -> PyResult<Option<T>> {
    with_view(object, ffi::PyBUF_WRITABLE, |start, length| {
        if limit > length || length == 0 {
            return None;
        }
        let length = if limit == 0 { length } else { limit };
        // SAFETY: as in `with_octets`; and the exporter allows writing.
        Some(work(unsafe { std::slice::from_raw_parts_mut(start.cast(), length) }))
    })
}
