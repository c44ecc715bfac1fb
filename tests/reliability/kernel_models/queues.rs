//! [`RunQueue`] and [`IdleSet`].

use _native::kernel::{IdleKey, IdleSet, RunQueue};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum OnRunQueue {
    Push,
    TakeSingle,
    TakeBatch,
}

fn on_run_queue() -> impl Strategy<Value = OnRunQueue> {
    prop_oneof![
        4 => Just(OnRunQueue::Push),
        2 => Just(OnRunQueue::TakeSingle),
        1 => Just(OnRunQueue::TakeBatch),
    ]
}

proptest! {
    /// Everything comes out once, in the batch after the one in which it was pushed.
    #[test]
    fn run_queue(operations in prop::collection::vec(on_run_queue(), 1..200)) {
        let mut queue = RunQueue::default();
        let mut model: Vec<usize> = Vec::new();
        for (number, operation) in operations.into_iter().enumerate() {
            match operation {
                OnRunQueue::Push => {
                    queue.push(number);
                    model.push(number);
                }
                OnRunQueue::TakeSingle => {
                    let expected = if model.len() == 1 { model.pop() } else { None };
                    prop_assert_eq!(queue.take_single(), expected);
                }
                OnRunQueue::TakeBatch => {
                    let mut batch = queue.take_batch();
                    queue.push(number);
                    prop_assert_eq!(&batch, &model);
                    batch.clear();
                    queue.recycle(batch);
                    model = vec![number];
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            prop_assert!(queue.iter().eq(model.iter()));
        }
    }
}

#[derive(Clone, Debug)]
enum OnIdleSet {
    Insert(u8),
    Remove(usize),
    TakeLowest,
}

fn on_idle_set() -> impl Strategy<Value = OnIdleSet> {
    prop_oneof![
        4 => (0..6_u8).prop_map(OnIdleSet::Insert),
        2 => any::<usize>().prop_map(OnIdleSet::Remove),
        1 => Just(OnIdleSet::TakeLowest),
    ]
}

proptest! {
    #[test]
    fn idle_set(operations in prop::collection::vec(on_idle_set(), 1..150)) {
        let mut set = IdleSet::default();
        let mut model: Vec<(u8, usize)> = Vec::new();
        let mut given: Vec<IdleKey> = Vec::new();
        for operation in operations {
            match operation {
                OnIdleSet::Insert(cushion) => {
                    let number = given.len();
                    given.push(set.insert(f64::from(cushion), number));
                    model.push((cushion, number));
                }
                OnIdleSet::Remove(at) if !given.is_empty() => {
                    let number = at % given.len();
                    let place = model.iter().position(|&(_, other)| other == number);
                    prop_assert_eq!(set.remove(given[number]), place.map(|place| model.remove(place).1));
                }
                OnIdleSet::Remove(_) => {}
                OnIdleSet::TakeLowest => {
                    let lowest = model.iter().map(|&(cushion, _)| cushion).min();
                    let (taken, kept): (Vec<_>, Vec<_>) =
                        model.iter().copied().partition(|&(cushion, _)| Some(cushion) == lowest);
                    let taken: Vec<_> = taken.into_iter().map(|(_, number)| number).collect();
                    prop_assert_eq!(set.take_lowest(), taken);
                    model = kept;
                }
            }
            let lowest = model.iter().map(|&(cushion, _)| f64::from(cushion)).reduce(f64::min);
            prop_assert_eq!(set.lowest_cushion(), lowest);
            prop_assert_eq!(set.iter().count(), model.len());
        }
    }
}
