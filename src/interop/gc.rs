//! Traversal and clearing for the cyclic garbage collector.
//!
//! A class that holds Python objects lists its fields once, with [`gc_fields!`]; traversal and
//! clearing follow from the types of the fields. A cell that is in use while the collector runs is
//! skipped: the collector then merely believes that its content is alive.

use std::collections::VecDeque;

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use thin_vec::ThinVec;

use super::cell::LoopCell;
use crate::kernel::{CancelTree, DeadlineHeap, IdleSet, RunQueue, Slab, WaitQueue};

/// Something that can show the collector the Python objects it holds.
pub trait Trace {
    /// Visits every held object.
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError>;

    /// Lets go of what can be part of a cycle. References held outside of cells cannot be released
    /// and stay; every cycle must pass through at least one cell.
    fn release(&self) {}
}

impl<T> Trace for Py<T> {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self)
    }
}

impl<T: Trace> Trace for Option<T> {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.as_ref().map_or(Ok(()), |value| value.trace(visit))
    }
}

impl<T: Trace + Default> Trace for LoopCell<T> {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.inspect(visit, |value| value.trace(visit)).unwrap_or(Ok(()))
    }

    fn release(&self) {
        drop(self.take_unused());
    }
}

impl<T: Trace, E: Trace> Trace for Result<T, E> {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Ok(value) => value.trace(visit),
            Err(error) => error.trace(visit),
        }
    }
}

impl<A: Trace, B: Trace> Trace for (A, B) {
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.trace(visit)?;
        self.1.trace(visit)
    }
}

/// Implements [`Trace`] for collections of traceable values.
macro_rules! trace_collection {
    ($($collection:ident),* $(,)?) => {$(
        impl<T: Trace> Trace for $collection<T> {
            fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
                self.iter().try_for_each(|value| value.trace(visit))
            }
        }
    )*};
}

trace_collection!(Vec, ThinVec, VecDeque, RunQueue, DeadlineHeap, IdleSet, Slab, WaitQueue);

impl<T: Trace, S: Trace, R: Clone> Trace for CancelTree<T, S, R> {
    /// Reasons are left out: one may be shared by many scopes, and they hold no containers.
    fn trace(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.tasks().try_for_each(|task| task.trace(visit))?;
        self.owners().try_for_each(|owner| owner.trace(visit))
    }
}

/// Lists the fields of a struct that hold Python objects: `gc_fields!(Nursery: tasks, error)`.
///
/// A field may be left out while another one says so: `gc_fields!(Task: context unless hides_context)`.
macro_rules! gc_fields {
    (@unless $this:ident, $action:expr) => { $action };
    (@unless $this:ident $hidden:ident, $action:expr) => {
        if !$this.$hidden.inspect() {
            $action;
        }
    };
    ($class:ty: $($field:ident $(unless $hidden:ident)?),* $(,)?) => {
        impl $crate::interop::gc::Trace for $class {
            fn trace(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
                $(gc_fields!(
                    @unless self $($hidden)?, $crate::interop::gc::Trace::trace(&self.$field, visit)?
                );)*
                Ok(())
            }

            fn release(&self) {
                $(gc_fields!(
                    @unless self $($hidden)?, $crate::interop::gc::Trace::release(&self.$field)
                );)*
            }
        }
    };
}
pub(crate) use gc_fields;
