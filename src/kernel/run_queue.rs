//! The queue of runnable tasks, split into ticks.
//!
//! A tick runs exactly the tasks that were runnable when it began. What becomes runnable meanwhile
//! collects in `pending` for the next tick, so that no task can starve the poller or its peers.
//! Two vectors trade places; in the steady state no tick allocates.
//!
//! Invariant: a value is in `pending`, in a batch that was handed out, or gone; never in two places.

/// Runnable values of the next tick, and the spare buffer that the last batch gave back.
#[derive(Debug)]
pub struct RunQueue<T> {
    pending: Vec<T>,
    spare: Vec<T>,
}

impl<T> Default for RunQueue<T> {
    fn default() -> Self {
        Self { pending: Vec::new(), spare: Vec::new() }
    }
}

impl<T> RunQueue<T> {
    /// Makes `value` part of the next batch.
    #[inline]
    pub fn push(&mut self, value: T) {
        self.pending.push(value);
    }

    /// Is nothing waiting for the next batch?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// How many values wait for the next batch.
    #[inline]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Takes everything that is runnable now. Give the vector back with [`RunQueue::recycle`].
    #[inline]
    #[must_use]
    pub fn take_batch(&mut self) -> Vec<T> {
        std::mem::replace(&mut self.pending, std::mem::take(&mut self.spare))
    }

    /// Takes the only runnable value, where there is exactly one.
    #[inline]
    pub fn take_single(&mut self) -> Option<T> {
        if self.pending.len() == 1 {
            self.pending.pop()
        } else {
            None
        }
    }

    /// Returns the emptied buffer of a batch for reuse.
    #[inline]
    pub fn recycle(&mut self, batch: Vec<T>) {
        debug_assert!(batch.is_empty());
        if batch.capacity() > self.spare.capacity() {
            self.spare = batch;
        }
    }

    /// The values of the next batch, for inspection.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pending.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::RunQueue;

    #[test]
    fn a_batch_holds_what_was_runnable_when_it_was_taken() {
        let mut queue = RunQueue::default();
        queue.push(1);
        queue.push(2);
        let mut batch = queue.take_batch();
        queue.push(3);
        assert_eq!(batch, [1, 2]);
        assert_eq!(queue.len(), 1);
        batch.clear();
        queue.recycle(batch);
        assert_eq!(queue.take_batch(), [3]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_single_value_is_taken_alone() {
        let mut queue = RunQueue::default();
        assert_eq!(queue.take_single(), None::<u8>);
        queue.push(7);
        assert_eq!(queue.take_single(), Some(7));
        queue.push(1);
        queue.push(2);
        assert_eq!(queue.take_single(), None);
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [1, 2]);
    }
}
