//! Short cuts: the methods that move octets, as system calls.
//!
//! Each takes a method's arguments in their plainest form and returns `None` for any other, or if
//! Python objects to a buffer: then the method itself is called and says what is wrong. What would do
//! no system call (an empty buffer) is left to the method as well.

use std::io;
use std::net::SocketAddr;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyTuple};
use rustix::io::Errno;

use super::address;
use super::calls::ShortCut;
use super::exchange::{Port, Tried};
use crate::interop::errors::os_error;
use crate::interop::transfer::{self, Answer};
use crate::kernel::Direction;

/// From this size on, a message announces that the next one will be large, too.
const LARGE: usize = 16 * 1024;

/// `recv(bufsize)`.
pub static RECEIVE: ShortCut =
    ShortCut { fits: |_, args| only_size(args).is_some_and(|limit| limit > 0), take: receive };

/// `recv_into(buffer)` and `recv_into(buffer, nbytes)`.
pub static RECEIVE_INTO: ShortCut = ShortCut { fits: |_, args| has_room(args), take: receive_into };

/// `recvfrom(bufsize)`, of an internet socket.
pub static RECEIVE_FROM: ShortCut = ShortCut {
    fits: |port, args| address::is_internet(port.kind.family) && only_size(args).is_some(),
    take: receive_from,
};

/// `recvfrom_into(buffer)` and `recvfrom_into(buffer, nbytes)`, of an internet socket.
pub static RECEIVE_FROM_INTO: ShortCut = ShortCut {
    fits: |port, args| address::is_internet(port.kind.family) && has_room(args),
    take: receive_from_into,
};

/// `send(data)`.
pub static SEND: ShortCut =
    ShortCut { fits: |_, args| args.len() == 1 && begins_with_bytes(args), take: send };

/// `sendto(data, address)` with a numeric internet address.
pub static SEND_TO: ShortCut = ShortCut {
    fits: |port, args| begins_with_bytes(args) && destination(port, args).is_some(),
    take: send_to,
};

#[inline]
fn receive(port: &Port<'_, '_>, args: &Bound<'_, PyTuple>) -> Option<PyResult<Tried>> {
    let limit = only_size(args).filter(|&limit| limit > 0)?;
    Some(receive_some(port, limit))
}

/// Receives at most `limit` octets, of which there must be at least one.
#[inline]
pub fn receive_some(port: &Port<'_, '_>, limit: usize) -> PyResult<Tried> {
    let py = port.inner.py();
    let plenty = &port.socket.get().plenty;
    let answer = transfer::receive(py, port.fd, limit, plenty.get(py))?;
    told(py, answer, |octets| {
        let count = octets.as_bytes().len();
        plenty.set(py, count >= LARGE);
        if count < limit {
            port.fell_short(Direction::Read);
        }
        Ok(octets.into_any())
    })
}

fn receive_into(port: &Port<'_, '_>, args: &Bound<'_, PyTuple>) -> Option<PyResult<Tried>> {
    let (buffer, limit) = buffer_and_size(args)?;
    let answer = transfer::receive_into(port.fd, &buffer, limit).ok()??;
    Some(told(args.py(), answer, |(count, room)| {
        if count < room {
            port.fell_short(Direction::Read);
        }
        Ok(count.into_pyobject(args.py())?.into_any())
    }))
}

fn receive_from(port: &Port<'_, '_>, args: &Bound<'_, PyTuple>) -> Option<PyResult<Tried>> {
    let py = args.py();
    if !address::is_internet(port.kind.family) {
        return None;
    }
    let answer = transfer::receive_from(py, port.fd, only_size(args)?).ok()?;
    Some(told(py, answer, |(octets, sender)| {
        Ok((octets, address::to_python(py, sender)?).into_pyobject(py)?.into_any())
    }))
}

fn receive_from_into(port: &Port<'_, '_>, args: &Bound<'_, PyTuple>) -> Option<PyResult<Tried>> {
    let py = args.py();
    if !address::is_internet(port.kind.family) {
        return None;
    }
    let (buffer, limit) = buffer_and_size(args)?;
    let answer = transfer::receive_from_into(port.fd, &buffer, limit).ok()??;
    Some(told(py, answer, |(count, sender)| {
        Ok((count, address::to_python(py, sender)?).into_pyobject(py)?.into_any())
    }))
}

#[inline]
fn send(port: &Port<'_, '_>, args: &Bound<'_, PyTuple>) -> Option<PyResult<Tried>> {
    if args.len() != 1 {
        return None;
    }
    let data = args.get_item(0).ok()?;
    let answer = transfer::transmit(port.fd, &data, 0).ok()?;
    Some(told(args.py(), answer, |(count, all)| {
        if count < all {
            port.fell_short(Direction::Write);
        }
        Ok(count.into_pyobject(args.py())?.into_any())
    }))
}

fn send_to(port: &Port<'_, '_>, args: &Bound<'_, PyTuple>) -> Option<PyResult<Tried>> {
    let target = destination(port, args)?;
    let answer = transfer::transmit_to(port.fd, &args.get_item(0).ok()?, &target).ok()?;
    Some(told(args.py(), answer, |count| Ok(count.into_pyobject(args.py())?.into_any())))
}

/// What the kernel said, as the result of an attempt.
#[inline]
fn told<'py, T>(
    py: Python<'py>,
    answer: Answer<T>,
    convert: impl FnOnce(T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Tried> {
    match answer {
        Ok(value) => convert(value).map(|value| Tried::Done(Some(value.unbind()))),
        Err(errno) if errno == Errno::AGAIN => Ok(Tried::Blocks),
        Err(errno) => Err(os_error(py, &io::Error::from(errno))),
    }
}

/// The only argument, if it is a size.
#[inline]
fn only_size(args: &Bound<'_, PyTuple>) -> Option<usize> {
    if args.len() != 1 {
        return None;
    }
    size(&args.get_item(0).ok()?)
}

/// Where `sendto(data, address)` would send to, if that needs no resolution.
fn destination(port: &Port<'_, '_>, args: &Bound<'_, PyTuple>) -> Option<SocketAddr> {
    if args.len() != 2 {
        return None;
    }
    address::from_python(port.kind.family, &args.get_item(1).ok()?)
}

/// Is the first argument a plain bytes object? What other buffers say when they are asked for, only
/// asking tells.
fn begins_with_bytes(args: &Bound<'_, PyTuple>) -> bool {
    args.get_item(0).is_ok_and(|data| data.is_exact_instance_of::<PyBytes>())
}

/// Are these a writable buffer and perhaps a size that is not more than it has?
fn has_room(args: &Bound<'_, PyTuple>) -> bool {
    buffer_and_size(args).is_some_and(|(buffer, limit)| transfer::has_room(&buffer, limit))
}

/// A buffer and, if it is given, how much of it is to be used at most; else 0.
fn buffer_and_size<'py>(args: &Bound<'py, PyTuple>) -> Option<(Bound<'py, PyAny>, usize)> {
    let limit = match args.len() {
        1 => 0,
        2 => size(&args.get_item(1).ok()?)?,
        _ => return None,
    };
    Some((args.get_item(0).ok()?, limit))
}

#[inline]
fn size(number: &Bound<'_, PyAny>) -> Option<usize> {
    number.cast::<PyInt>().ok()?.extract().ok()
}
