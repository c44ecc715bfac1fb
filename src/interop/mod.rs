//! The only room with `unsafe`: raw CPython calls behind safe functions.
//!
//! Everything above this folder is safe Rust. Each file wraps one piece of the C API that PyO3 does
//! not offer, or offers too slowly for the hot path, and states in its SAFETY comments which
//! precondition it relies on and who guarantees it. The chapters of `SAFETY.md` have the reasoning
//! that spans files.
//!
//! - [`async_function`]: functions that tools recognise as asynchronous.
//! - [`async_method`]: the same for methods.
//! - [`cell`]: state of Python objects that only the holder of the interpreter lock may touch.
//! - [`gc`]: traversal and clearing for the cyclic garbage collector.
//! - [`class_names`]: by what classes go in messages.
//! - [`coroutine_marks`]: by what tools recognise them.
//! - [`coroutine`]: resuming a coroutine, returning values from an awaitable.
//! - [`context`]: running inside a `contextvars.Context`, copying the current one.
//! - [`early_dict`]: what Python 3.11 does too early.
//! - [`errors`]: exception plumbing: contexts, tracebacks, groups, native exception classes.
//! - [`fallible`]: making objects where there may be no memory.
//! - [`function`]: what Python functions say about themselves.
//! - [`imports`]: Python objects that Rust code needs, looked up once.
//! - [`metaclass`]: the class of a class.
//! - [`numbers`]: sizes, counts, and yes or no, as users write them.
//! - [`outcome`]: what functions returned or raised, as objects.
//! - [`panics`]: that there was one, and what it said.
//! - [`pool`]: memory of short-lived objects.
//! - [`slots`]: slots of hot classes, filled by hand.
//! - [`this_thread`]: which thread this is, in one instruction.
//! - [`thread_name`]: what the operating system calls a thread.
//! - [`prefetch`]: asking the processor to fetch an object before it is needed.
//! - [`run_context`]: which run this thread is in, kept where Python code can see it.
//! - [`transfer`]: system calls that move octets between sockets and Python's memory.
//! - `tripwires`: in builds with debug assertions, how tests make the core panic.

pub mod async_function;
pub mod async_method;
pub mod cell;
pub mod class_names;
pub mod context;
pub mod coroutine;
mod coroutine_marks;
pub mod early_dict;
pub mod errors;
pub mod fallible;
pub mod function;
pub mod gc;
pub mod imports;
pub mod metaclass;
pub mod numbers;
pub mod outcome;
pub mod panics;
pub mod pool;
pub mod prefetch;
pub mod run_context;
pub mod slots;
pub mod this_thread;
pub mod thread_name;
pub mod transfer;
#[cfg(debug_assertions)]
pub mod tripwires;

#[cfg(Py_GIL_DISABLED)]
compile_error!("the scheduler's state is guarded by the interpreter lock; free-threaded builds are not supported");
