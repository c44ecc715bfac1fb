//! Deadlines: an indexed four-ary min-heap.
//!
//! Most deadlines never fire: a timeout scope is entered and left long before it is due. Every entry
//! therefore knows its place in the heap and is taken out at once, so that leaving costs about as
//! little as entering and no dead entry is ever kept. Four children per node halve the depth of a
//! binary heap. Equal deadlines fire in the order in which they were inserted.
//!
//! Invariants: an entry is not due before its parent; `slots[entry.slot]` holds the entry's index.

use super::slab::{Slab, SlabKey};

/// Names an entry of a [`DeadlineHeap`]; stale once the entry was removed or has fired.
pub type DeadlineKey = SlabKey;

const ARITY: usize = 4;

#[derive(Debug)]
struct Entry<T> {
    deadline: f64,
    sequence: u64,
    slot: SlabKey,
    value: T,
}

impl<T> Entry<T> {
    fn before(&self, other: &Self) -> bool {
        self.deadline < other.deadline
            || (self.deadline == other.deadline && self.sequence < other.sequence)
    }
}

/// The heap. Deadlines are finite seconds on the run's clock.
#[derive(Debug)]
pub struct DeadlineHeap<T> {
    heap: Vec<Entry<T>>,
    slots: Slab<usize>,
    sequence: u64,
}

impl<T> Default for DeadlineHeap<T> {
    fn default() -> Self {
        Self { heap: Vec::new(), slots: Slab::default(), sequence: 0 }
    }
}

impl<T> DeadlineHeap<T> {
    /// How many deadlines are pending.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Is no deadline pending?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The nearest deadline.
    #[inline]
    pub fn next(&self) -> Option<f64> {
        self.heap.first().map(|entry| entry.deadline)
    }

    /// Adds a value that is due at `deadline` seconds.
    pub fn insert(&mut self, deadline: f64, value: T) -> DeadlineKey {
        debug_assert!(!deadline.is_nan());
        let at = self.heap.len();
        let slot = self.slots.insert(at);
        self.sequence += 1;
        self.heap.push(Entry { deadline, sequence: self.sequence, slot, value });
        self.sift_up(at);
        slot
    }

    /// Takes an entry out before it is due; `None` if it has left already.
    pub fn remove(&mut self, key: DeadlineKey) -> Option<T> {
        let at = *self.slots.get(key)?;
        Some(self.take(at))
    }

    /// Takes the nearest entry if it is due at `now`.
    #[inline]
    pub fn pop_due(&mut self, now: f64) -> Option<T> {
        if self.next()? <= now {
            Some(self.take(0))
        } else {
            None
        }
    }

    /// All values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.heap.iter().map(|entry| &entry.value)
    }

    /// Takes all values, in no order.
    #[must_use]
    pub fn drain(&mut self) -> Vec<T> {
        self.slots = Slab::default();
        std::mem::take(&mut self.heap).into_iter().map(|entry| entry.value).collect()
    }

    fn take(&mut self, at: usize) -> T {
        let entry = self.heap.swap_remove(at);
        self.slots.remove(entry.slot);
        if at < self.heap.len() {
            self.note_place(at);
            self.sift_up(at);
            self.sift_down(at);
        }
        entry.value
    }

    fn note_place(&mut self, at: usize) {
        let slot = self.heap[at].slot;
        *self.slots.at_mut(slot.index) = at;
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.note_place(a);
        self.note_place(b);
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if !self.heap[at].before(&self.heap[parent]) {
                break;
            }
            self.swap(at, parent);
            at = parent;
        }
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let first = at * ARITY + 1;
            let last = (first + ARITY).min(self.heap.len());
            let Some(least) = (first..last).reduce(|best, child| {
                if self.heap[child].before(&self.heap[best]) {
                    child
                } else {
                    best
                }
            }) else {
                break;
            };
            if !self.heap[least].before(&self.heap[at]) {
                break;
            }
            self.swap(at, least);
            at = least;
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
        assert_eq!(heap.drain().len(), model.len());
        assert!(heap.is_empty());
    }
}
