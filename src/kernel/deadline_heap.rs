//! Deadlines: a heap of moments, next to a table of what happens at each.
//!
//! Most deadlines never fire: a timeout scope is entered and left long before it is due. Leaving takes
//! the value out of the table and leaves the heap alone; the moment that remains there stands for
//! nothing and is dropped when it comes to the top, or with all others of its kind once they are the
//! majority. The heap moves small, plain entries only, and never has to say where one has gone. Equal
//! deadlines fire in the order in which they were inserted.
//!
//! Invariants: the top of the heap stands for a value; every value has one entry in the heap.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::slab::{Slab, SlabKey};

/// Names an entry of a [`DeadlineHeap`]; stale once the entry was removed or has fired.
pub type DeadlineKey = SlabKey;

/// Up to how many entries without a value are not worth a clean-up.
const TOLERATED: usize = 64;

/// When the value under `key` is due, if it is still there.
#[derive(Clone, Copy, Debug)]
struct Moment {
    deadline: f64,
    sequence: u64,
    key: SlabKey,
}

/// The greatest is the one that comes first, as `BinaryHeap` has the greatest at its top.
impl Ord for Moment {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        other.deadline.total_cmp(&self.deadline).then(other.sequence.cmp(&self.sequence))
    }
}

impl PartialOrd for Moment {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Moment {}

/// The heap. Deadlines are seconds on the run's clock, and never NaN.
#[derive(Debug)]
pub struct DeadlineHeap<T> {
    moments: BinaryHeap<Moment>,
    values: Slab<T>,
    sequence: u64,
}

impl<T> Default for DeadlineHeap<T> {
    fn default() -> Self {
        Self { moments: BinaryHeap::new(), values: Slab::default(), sequence: 0 }
    }
}

impl<T> DeadlineHeap<T> {
    /// How many deadlines are pending.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Is no deadline pending?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The nearest deadline.
    #[inline]
    pub fn next(&self) -> Option<f64> {
        self.moments.peek().map(|moment| moment.deadline)
    }

    /// What happens at the nearest deadline.
    #[inline]
    pub fn next_value(&self) -> Option<&T> {
        self.values.get(self.moments.peek()?.key)
    }

    /// Adds a value that is due at `deadline` seconds.
    pub fn insert(&mut self, deadline: f64, value: T) -> DeadlineKey {
        debug_assert!(!deadline.is_nan());
        let key = self.values.insert(value);
        self.sequence += 1;
        // The two zeros are the same moment.
        let deadline = deadline + 0.0;
        self.moments.push(Moment { deadline, sequence: self.sequence, key });
        key
    }

    /// Takes a value out before it is due; `None` if it has left already.
    pub fn remove(&mut self, key: DeadlineKey) -> Option<T> {
        let value = self.values.remove(key)?;
        if self.moments.len() > 2 * self.values.len() + TOLERATED {
            let values = &self.values;
            self.moments.retain(|moment| values.get(moment.key).is_some());
        }
        self.uncover();
        Some(value)
    }

    /// Takes the nearest value if it is due at `now`.
    #[inline]
    pub fn pop_due(&mut self, now: f64) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        let moment = self.moments.pop()?;
        let value = self.values.remove(moment.key);
        self.uncover();
        value
    }

    /// All values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }

    /// Drops moments without a value from the top.
    #[inline]
    fn uncover(&mut self) {
        while self.moments.peek().is_some_and(|moment| self.values.get(moment.key).is_none()) {
            self.moments.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DeadlineHeap;

    #[test]
    fn fires_in_order_and_only_what_is_due() {
        let mut heap = DeadlineHeap::default();
        heap.insert(3.0, 'c');
        heap.insert(1.0, 'a');
        heap.insert(1.0, 'b');
        assert_eq!(heap.next(), Some(1.0));
        assert_eq!(heap.pop_due(0.5), None);
        assert_eq!(heap.pop_due(2.0), Some('a'));
        assert_eq!(heap.pop_due(2.0), Some('b'));
        assert_eq!(heap.pop_due(2.0), None);
        assert_eq!(heap.len(), 1);
    }

    #[test]
    fn agrees_with_a_sorted_model_under_random_use() {
        let mut heap = DeadlineHeap::default();
        let mut model: Vec<(u32, u32, super::DeadlineKey)> = Vec::new();
        let mut seed = 0x9e37_79b9_u32;
        for step in 0..3000_u32 {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let due = seed % 50;
            match seed % 5 {
                0..=2 => model.push((due, step, heap.insert(f64::from(due), step))),
                3 if !model.is_empty() => {
                    let (_, value, key) = model.swap_remove(seed as usize / 5 % model.len());
                    assert_eq!(heap.remove(key), Some(value));
                    assert_eq!(heap.remove(key), None);
                }
                _ => {
                    model.sort_by_key(|&(due, step, _)| (due, step));
                    let now = f64::from(due) / 2.0;
                    let expected = model.first().filter(|entry| f64::from(entry.0) <= now).copied();
                    assert_eq!(heap.pop_due(now), expected.map(|entry| entry.1));
                    if expected.is_some() {
                        model.remove(0);
                    }
                }
            }
            assert_eq!(heap.len(), model.len());
        }
        assert_eq!(heap.iter().count(), model.len());
    }

    #[test]
    fn what_was_taken_out_leaves_little_behind() {
        let mut heap = DeadlineHeap::default();
        heap.insert(0.5, 0);
        let keys: Vec<_> = (1..=10_000).map(|n| heap.insert(f64::from(n), n)).collect();
        for (n, key) in (1..).zip(keys) {
            assert_eq!(heap.remove(key), Some(n));
            assert!(heap.moments.len() <= 2 * heap.len() + super::TOLERATED);
        }
        assert_eq!(heap.next_value(), Some(&0));
        assert_eq!(heap.pop_due(1.0), Some(0));
        assert!(heap.is_empty() && heap.next().is_none());
    }

    #[test]
    fn the_two_zeros_are_one_moment() {
        let mut heap = DeadlineHeap::default();
        heap.insert(0.0, 'a');
        heap.insert(-0.0, 'b');
        assert_eq!(heap.pop_due(0.0), Some('a'));
    }
}
