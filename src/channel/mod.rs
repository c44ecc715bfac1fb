//! Memory channels: passing objects from task to task.
//!
//! A channel is a [`State`] and any number of handles on it, senders and receivers, that can be cloned
//! and closed one by one. A value goes from `send` to `receive` by one of three ways:
//!
//! 1. somebody waits to receive: he is woken with the value, and it touches nothing else;
//! 2. there is room in the buffer: there;
//! 3. else the sender waits, with his value in the queue, until a receiver makes room.
//!
//! Closing a handle wakes those who wait *through that handle*; closing the last handle of one side
//! wakes everybody on the other side, as there is nothing to wait for any more.
//!
//! Invariants: nobody waits to receive while there are values in the buffer or senders waiting; nobody
//! waits to send while there is room in the buffer.
//!
//! | file | holds |
//! |---|---|
//! | `state` | buffer, queues, and the moves between them |
//! | `handle` | what senders and receivers have in common: closing |
//! | `ends` | the two kinds of handles: sending and receiving |

mod ends;
mod handle;
mod state;

use pyo3::prelude::*;

use ends::{MemoryReceiveChannel, MemorySendChannel};
use handle::Handle;
use state::State;

/// A channel with room for `max_buffer_size` values: its first sender and its first receiver.
#[pyfunction]
fn open_channel<'py>(
    py: Python<'py>,
    max_buffer_size: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, MemorySendChannel>, Bound<'py, MemoryReceiveChannel>)> {
    let state = Bound::new(py, State::new(max_buffer_size)?)?;
    Ok((MemorySendChannel::open(&state)?, MemoryReceiveChannel::open(&state)?))
}

/// Adds the classes and the function to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    Handle::prepare(py)?;
    MemorySendChannel::prepare(py)?;
    MemoryReceiveChannel::prepare(py)?;
    module.add_class::<State>()?;
    module.add_class::<MemorySendChannel>()?;
    module.add_class::<MemoryReceiveChannel>()?;
    module.add_function(wrap_pyfunction!(open_channel, module)?)
}
