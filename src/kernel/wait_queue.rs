//! A first-in, first-out queue whose members can leave from the middle in O(1).
//!
//! Every blocked operation waits in one of these: wake-ups come from the front, cancellation removes
//! a member wherever it stands. It is a doubly linked list inside a [`Slab`], so that waiting
//! allocates nothing once the queue has reached its usual size.
//!
//! Invariant: following `next` from `head` visits every live slot once and ends at `tail`.

use super::slab::{Slab, SlabKey};

const NONE: u32 = u32::MAX;

/// Names a member of a [`WaitQueue`]; stale once the member has left.
pub type WaitKey = SlabKey;

#[derive(Debug)]
struct Link<T> {
    prev: u32,
    next: u32,
    value: T,
}

/// The queue.
#[derive(Debug)]
pub struct WaitQueue<T> {
    links: Slab<Link<T>>,
    head: u32,
    tail: u32,
    len: usize,
}

impl<T> Default for WaitQueue<T> {
    fn default() -> Self {
        Self { links: Slab::default(), head: NONE, tail: NONE, len: 0 }
    }
}

impl<T> WaitQueue<T> {
    /// How many wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Does nobody wait?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lets `value` wait behind all others.
    pub fn push_back(&mut self, value: T) -> WaitKey {
        let key = self.links.insert(Link { prev: self.tail, next: NONE, value });
        if self.tail == NONE {
            self.head = key.index;
        } else {
            self.links.at_mut(self.tail).next = key.index;
        }
        self.tail = key.index;
        self.len += 1;
        key
    }

    /// Takes the member that has waited longest.
    #[inline]
    pub fn pop_front(&mut self) -> Option<T> {
        if self.head == NONE {
            return None;
        }
        let key = self.links.key_at(self.head);
        self.remove(key)
    }

    /// The member that has waited longest.
    pub fn front(&self) -> Option<&T> {
        (self.head != NONE).then(|| &self.links.at(self.head).value)
    }

    /// Takes a member out wherever it stands; `None` if it has left already.
    pub fn remove(&mut self, key: WaitKey) -> Option<T> {
        let link = self.links.remove(key)?;
        if link.prev == NONE {
            self.head = link.next;
        } else {
            self.links.at_mut(link.prev).next = link.next;
        }
        if link.next == NONE {
            self.tail = link.prev;
        } else {
            self.links.at_mut(link.next).prev = link.prev;
        }
        self.len -= 1;
        Some(link.value)
    }

    /// A waiting member, for change in place.
    pub fn get_mut(&mut self, key: WaitKey) -> Option<&mut T> {
        self.links.get_mut(key).map(|link| &mut link.value)
    }

    /// The members in the order in which they will be woken.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let mut at = self.head;
        std::iter::from_fn(move || {
            if at == NONE {
                return None;
            }
            let link = self.links.at(at);
            at = link.next;
            Some(&link.value)
        })
    }

    /// Takes those that `chosen` picks, longest waiting first; the others keep their order.
    #[must_use]
    pub fn drain_where(&mut self, mut chosen: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        let mut at = self.head;
        while at != NONE {
            let link = self.links.at(at);
            let next = link.next;
            if chosen(&link.value) {
                let key = self.links.key_at(at);
                taken.extend(self.remove(key));
            }
            at = next;
        }
        taken
    }

    /// Takes everybody, longest waiting first.
    #[must_use]
    pub fn drain(&mut self) -> Vec<T> {
        let mut all = Vec::with_capacity(self.len);
        while let Some(value) = self.pop_front() {
            all.push(value);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::WaitQueue;
    use std::collections::VecDeque;

    #[test]
    fn members_leave_from_the_middle_and_order_stays() {
        let mut queue = WaitQueue::default();
        let keys: Vec<_> = (0..5).map(|n| queue.push_back(n)).collect();
        assert_eq!(queue.remove(keys[2]), Some(2));
        assert_eq!(queue.remove(keys[2]), None);
        assert_eq!(queue.remove(keys[0]), Some(0));
        assert_eq!(queue.remove(keys[4]), Some(4));
        queue.push_back(9);
        assert_eq!(queue.front(), Some(&1));
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [1, 3, 9]);
        assert_eq!(queue.drain(), [1, 3, 9]);
        assert!(queue.is_empty());
        assert_eq!(queue.pop_front(), None);
    }

    #[test]
    fn some_are_chosen_and_the_order_of_the_rest_stays() {
        let mut queue = WaitQueue::default();
        for n in 0..6 {
            queue.push_back(n);
        }
        assert_eq!(queue.drain_where(|n| n % 3 == 0), [0, 3]);
        assert!(queue.drain_where(|_| false).is_empty());
        assert_eq!(queue.drain(), [1, 2, 4, 5]);
    }

    #[test]
    fn agrees_with_a_simple_model() {
        let mut queue = WaitQueue::default();
        let mut model: VecDeque<(super::WaitKey, u32)> = VecDeque::new();
        let mut seed = 0x2545_f491_u32;
        for step in 0..2000 {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            match seed % 4 {
                0 | 1 => model.push_back((queue.push_back(step), step)),
                2 => assert_eq!(queue.pop_front(), model.pop_front().map(|(_, value)| value)),
                _ if !model.is_empty() => {
                    let (key, value) = model
                        .remove(seed as usize / 4 % model.len())
                        .expect("an index below the length");
                    assert_eq!(queue.remove(key), Some(value));
                }
                _ => {}
            }
            assert_eq!(queue.len(), model.len());
            assert!(queue.iter().eq(model.iter().map(|(_, value)| value)));
        }
    }
}
