//! Python objects that Rust code needs, looked up on first use and kept.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Defines functions that import an attribute once: `name => "module", "attribute";`
macro_rules! imported {
    ($($(#[$doc:meta])* $name:ident => $module:literal, $attribute:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
            static CACHE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            CACHE.import(py, $module, $attribute)
        }
    )*};
}

imported! {
    /// `outcome.Value`.
    outcome_value => "outcome", "Value";
    /// `outcome.Error`.
    outcome_error => "outcome", "Error";
    /// Explains why calling an async function failed.
    explain_call_error => "trio._util", "explain_call_error";
    /// Turns what an async function returned into a coroutine, or explains why it cannot.
    as_coroutine => "trio._util", "as_coroutine";
    /// The two private enum members `(SUCCEEDED, FAILED)` of `Abort`.
    abort_members => "trio._core._traps", "ABORT_MEMBERS";
    /// Wraps a native awaitable in a coroutine.
    await_native => "trio._core._nursery", "await_native";
    /// The body of `Nursery.start`, an `async def`.
    nursery_start => "trio._core._nursery", "start";
    /// Raises what a nursery ends with.
    leave_nursery => "trio._core._nursery", "leave_nursery";
    /// Warns about loose exception groups.
    warn_loose_groups => "trio._core._nursery", "warn_loose_groups";
    /// Raises the `KeyboardInterrupt` that a task gets.
    raise_interrupt => "trio._core._ki", "raise_interrupt";
    /// Walks the frames that a coroutine is suspended in.
    await_frames => "trio._core._introspection", "await_frames";
    /// Ends the run with an error from a call from outside.
    crash_run => "trio._core._entry_queue", "crash_run";
    /// Where sniffio looks for the name of the library that runs.
    sniffio_thread_local => "sniffio", "thread_local";
    /// `functools.partial`.
    partial => "functools", "partial";
    /// Runs a function in a worker thread.
    start_thread_soon => "trio._core._thread_cache", "start_thread_soon";
    /// Hands over from a worker thread to the host of a guest run.
    call_host => "trio._core._guest", "call_host";
    /// Joins two tracebacks.
    concat_tb => "trio._core._concat_tb", "concat_tb";
    /// `trio._deprecate.warn_deprecated`.
    warn_deprecated => "trio._deprecate", "warn_deprecated";
    /// `collections.OrderedDict`.
    ordered_dict => "collections", "OrderedDict";
    /// `collections.deque`.
    deque => "collections", "deque";
    /// What `statistics()` of a synchronisation primitive or a channel returns.
    parking_lot_statistics => "trio._core._parking_lot", "ParkingLotStatistics";
    unbounded_queue_statistics => "trio._core._unbounded_queue", "UnboundedQueueStatistics";
    event_statistics => "trio._sync", "EventStatistics";
    lock_statistics => "trio._sync", "LockStatistics";
    condition_statistics => "trio._sync", "ConditionStatistics";
    capacity_limiter_statistics => "trio._sync", "CapacityLimiterStatistics";
    memory_channel_statistics => "trio._channel", "MemoryChannelStatistics";
    /// `socket.socket`.
    stdlib_socket => "socket", "socket";
    /// `logging.getLogger`.
    get_logger => "logging", "getLogger";
}

/// Imports `BaseExceptionGroup`, from the backport where the interpreter has none.
pub fn base_exception_group(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CACHE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let module = if cfg!(Py_3_11) { "builtins" } else { "exceptiongroup" };
    CACHE.import(py, module, "BaseExceptionGroup")
}
