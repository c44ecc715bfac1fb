//! Storage under stable keys: [`Slab`] and what is built on it, the wait queue and the deadline heap.

use std::collections::VecDeque;

use _native::kernel::{DeadlineHeap, DeadlineKey, Slab, SlabKey, WaitKey, WaitQueue};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum OnSlab {
    Insert(u32),
    /// Of a key that was ever given out, live or stale.
    Remove(usize),
    Change(usize, u32),
}

fn on_slab() -> impl Strategy<Value = OnSlab> {
    prop_oneof![
        3 => any::<u32>().prop_map(OnSlab::Insert),
        2 => any::<usize>().prop_map(OnSlab::Remove),
        1 => (any::<usize>(), any::<u32>()).prop_map(|(at, value)| OnSlab::Change(at, value)),
    ]
}

proptest! {
    #[test]
    fn slab(operations in prop::collection::vec(on_slab(), 1..200)) {
        let mut slab = Slab::default();
        let mut given: Vec<(SlabKey, Option<u32>)> = Vec::new();
        for operation in operations {
            let count = given.len();
            match operation {
                OnSlab::Insert(value) => given.push((slab.insert(value), Some(value))),
                OnSlab::Remove(at) if count > 0 => {
                    let (key, value) = &mut given[at % count];
                    prop_assert_eq!(slab.remove(*key), value.take());
                }
                OnSlab::Change(at, new) if count > 0 => {
                    let (key, value) = &mut given[at % count];
                    if let Some(stored) = slab.get_mut(*key) {
                        *stored = new;
                        prop_assert!(value.replace(new).is_some());
                    } else {
                        prop_assert!(value.is_none());
                    }
                }
                _ => {}
            }
            for &(key, value) in &given {
                prop_assert_eq!(slab.get(key).copied(), value);
                prop_assert_eq!(SlabKey::from_bits(key.to_bits()), key);
                if value.is_some() {
                    prop_assert_eq!(slab.key_at(key.index), key);
                }
            }
            let mut stored: Vec<u32> = slab.iter().copied().collect();
            let mut expected: Vec<u32> = given.iter().filter_map(|&(_, value)| value).collect();
            stored.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(slab.is_empty(), expected.is_empty());
            prop_assert_eq!(stored, expected);
        }
    }
}

#[derive(Clone, Debug)]
enum OnWaitQueue {
    Push,
    Pop,
    Remove(usize),
    DrainMultiplesOf(u32),
    Drain,
}

fn on_wait_queue() -> impl Strategy<Value = OnWaitQueue> {
    prop_oneof![
        8 => Just(OnWaitQueue::Push),
        3 => Just(OnWaitQueue::Pop),
        4 => any::<usize>().prop_map(OnWaitQueue::Remove),
        1 => (2..5_u32).prop_map(OnWaitQueue::DrainMultiplesOf),
        1 => Just(OnWaitQueue::Drain),
    ]
}

proptest! {
    #[test]
    fn wait_queue(operations in prop::collection::vec(on_wait_queue(), 1..200)) {
        let mut queue = WaitQueue::default();
        let mut model: VecDeque<u32> = VecDeque::new();
        let mut given: Vec<(WaitKey, u32)> = Vec::new();
        for (number, operation) in (0_u32..).zip(operations) {
            match operation {
                OnWaitQueue::Push => {
                    given.push((queue.push_back(number), number));
                    model.push_back(number);
                }
                OnWaitQueue::Pop => prop_assert_eq!(queue.pop_front(), model.pop_front()),
                OnWaitQueue::Remove(at) if !given.is_empty() => {
                    let (key, value) = given[at % given.len()];
                    let place = model.iter().position(|&waiting| waiting == value);
                    prop_assert_eq!(queue.get_mut(key).map(|waiting| *waiting), place.map(|_| value));
                    prop_assert_eq!(queue.remove(key), place.and_then(|place| model.remove(place)));
                }
                OnWaitQueue::Remove(_) => {}
                OnWaitQueue::DrainMultiplesOf(n) => {
                    let (taken, kept): (Vec<_>, Vec<_>) = model.iter().partition(|&&value| value % n == 0);
                    prop_assert_eq!(queue.drain_where(|value| value % n == 0), taken);
                    model = kept.into();
                }
                OnWaitQueue::Drain => {
                    prop_assert_eq!(queue.drain(), model.drain(..).collect::<Vec<_>>());
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            prop_assert_eq!(queue.front(), model.front());
            prop_assert!(queue.iter().eq(model.iter()));
        }
    }
}

#[derive(Clone, Debug)]
enum OnHeap {
    Insert(u8),
    Remove(usize),
    PopDue(u8),
}

fn on_heap() -> impl Strategy<Value = OnHeap> {
    prop_oneof![
        12 => (0..40_u8).prop_map(OnHeap::Insert),
        5 => any::<usize>().prop_map(OnHeap::Remove),
        5 => (0..40_u8).prop_map(OnHeap::PopDue),
    ]
}

proptest! {
    #[test]
    fn deadline_heap(operations in prop::collection::vec(on_heap(), 1..250)) {
        let mut heap = DeadlineHeap::default();
        // Sorted: by deadline, then by age.
        let mut model: Vec<(u8, usize)> = Vec::new();
        let mut given: Vec<(DeadlineKey, u8)> = Vec::new();
        for operation in operations {
            match operation {
                OnHeap::Insert(due) => {
                    let number = given.len();
                    given.push((heap.insert(f64::from(due), number), due));
                    let at = model.partition_point(|&(other, _)| other <= due);
                    model.insert(at, (due, number));
                }
                OnHeap::Remove(at) if !given.is_empty() => {
                    let number = at % given.len();
                    let place = model.iter().position(|&(_, other)| other == number);
                    prop_assert_eq!(heap.remove(given[number].0), place.map(|place| model.remove(place).1));
                }
                OnHeap::Remove(_) => {}
                OnHeap::PopDue(now) => {
                    let due = model.first().is_some_and(|&(due, _)| due <= now);
                    prop_assert_eq!(heap.pop_due(f64::from(now)), due.then(|| model.remove(0).1));
                }
            }
            prop_assert_eq!(heap.len(), model.len());
            prop_assert_eq!(heap.is_empty(), model.is_empty());
            prop_assert_eq!(heap.next(), model.first().map(|&(due, _)| f64::from(due)));
            prop_assert_eq!(heap.next_value(), model.first().map(|(_, number)| number));
            prop_assert_eq!(heap.iter().count(), model.len());
        }
    }
}
