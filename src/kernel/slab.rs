//! Storage with stable keys: slots, the vacant ones chained.
//!
//! A key carries the generation of its slot, so a key that outlived its value is recognised instead
//! of reaching whatever took the place over. The first slot lies in the structure itself: most slabs
//! never hold more than one value at a time, and then nothing is allocated.

/// Marks the end of the chain of vacant slots.
const NONE: u32 = u32::MAX;

/// Names a value in a [`Slab`]; worthless (but harmless) once the value was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlabKey {
    /// Which slot; links inside a structure are made of these alone.
    pub index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    /// While the slot is vacant: the next vacant one.
    next_vacant: u32,
    value: Option<T>,
}

impl<T> Slot<T> {
    const UNUSED: Self = Self { generation: 0, next_vacant: NONE, value: None };
}

/// A growing set of values under stable keys.
#[derive(Debug)]
pub struct Slab<T> {
    /// Slot 0.
    first: Slot<T>,
    /// The slots from 1 on.
    more: Vec<Slot<T>>,
    /// Where the chain of vacant slots begins.
    vacant: u32,
    /// How many slots have ever been used.
    used: u32,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { first: Slot::UNUSED, more: Vec::new(), vacant: NONE, used: 0, len: 0 }
    }
}

impl<T> Slab<T> {
    #[inline]
    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        match index {
            0 => Some(&self.first),
            _ => self.more.get(index as usize - 1),
        }
    }

    #[inline]
    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        match index {
            0 => Some(&mut self.first),
            _ => self.more.get_mut(index as usize - 1),
        }
    }

    /// Stores `value`; O(1).
    #[inline]
    pub fn insert(&mut self, value: T) -> SlabKey {
        self.len += 1;
        let reused = self.vacant;
        if let (true, Some(slot)) = (reused != NONE, self.slot_mut(reused)) {
            let (generation, next_vacant) = (slot.generation, slot.next_vacant);
            slot.value = Some(value);
            self.vacant = next_vacant;
            return SlabKey { index: reused, generation };
        }
        let index = self.used;
        if index == 0 {
            self.first.value = Some(value);
        } else {
            assert!(index != NONE, "fewer than 2^32 values");
            self.more.push(Slot { value: Some(value), ..Slot::UNUSED });
        }
        self.used += 1;
        SlabKey { index, generation: 0 }
    }

    /// Takes the value out; `None` if the key is stale. O(1).
    #[inline]
    pub fn remove(&mut self, key: SlabKey) -> Option<T> {
        let vacant = self.vacant;
        let slot = self.slot_mut(key.index)?;
        if slot.generation != key.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.next_vacant = vacant;
        self.vacant = key.index;
        self.len -= 1;
        Some(value)
    }

    /// The value, unless the key is stale.
    pub fn get(&self, key: SlabKey) -> Option<&T> {
        let slot = self.slot(key.index)?;
        if slot.generation == key.generation {
            slot.value.as_ref()
        } else {
            None
        }
    }

    /// The value, unless the key is stale.
    pub fn get_mut(&mut self, key: SlabKey) -> Option<&mut T> {
        let slot = self.slot_mut(key.index)?;
        if slot.generation == key.generation {
            slot.value.as_mut()
        } else {
            None
        }
    }

    /// The live value in slot `index`.
    ///
    /// # Panics
    /// If the slot is free: only linked structures whose links point at live slots use this.
    #[inline]
    pub fn at(&self, index: u32) -> &T {
        let slot = self.slot(index).and_then(|slot| slot.value.as_ref());
        slot.expect("a link points at a live slot")
    }

    /// The live value in slot `index`, mutably. Panics like [`Slab::at`].
    #[inline]
    pub fn at_mut(&mut self, index: u32) -> &mut T {
        let slot = self.slot_mut(index).and_then(|slot| slot.value.as_mut());
        slot.expect("a link points at a live slot")
    }

    /// The current key of slot `index`.
    #[inline]
    pub fn key_at(&self, index: u32) -> SlabKey {
        SlabKey { index, generation: self.slot(index).map_or(0, |slot| slot.generation) }
    }

    /// How many values are in it.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Is nothing stored?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All live values.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.value.iter().chain(self.more.iter().filter_map(|slot| slot.value.as_ref()))
    }
}

impl SlabKey {
    /// The key as one integer, for storage beside values of other kinds.
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The key that [`SlabKey::to_bits`] packed.
    #[allow(clippy::cast_possible_truncation, reason = "the two halves are what was packed")]
    pub fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::{Slab, SlabKey};
    use std::collections::HashMap;

    #[test]
    fn stale_keys_reach_nothing() {
        let mut slab = Slab::default();
        let a = slab.insert("a");
        assert_eq!(slab.remove(a), Some("a"));
        let b = slab.insert("b");
        assert_eq!(a.index, b.index);
        assert_eq!(slab.get(a), None);
        assert_eq!(slab.remove(a), None);
        assert_eq!(slab.get(b), Some(&"b"));
        assert_eq!(SlabKey::from_bits(b.to_bits()), b);
    }

    #[test]
    fn agrees_with_a_simple_model() {
        let mut slab = Slab::default();
        let mut model: HashMap<u64, u32> = HashMap::new();
        let mut keys = Vec::new();
        let mut seed = 0x9e37_79b9_u32;
        for step in 0..3000 {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            if seed % 3 > 0 || keys.is_empty() {
                let key = slab.insert(step);
                assert_eq!(model.insert(key.to_bits(), step), None);
                keys.push(key);
            } else {
                // Often one that was removed before.
                let key = keys[seed as usize / 3 % keys.len()];
                assert_eq!(slab.remove(key), model.remove(&key.to_bits()));
            }
            assert_eq!(slab.is_empty(), model.is_empty());
            assert_eq!(slab.iter().count(), model.len());
            if step % 50 == 0 {
                for (&bits, value) in &model {
                    let key = SlabKey::from_bits(bits);
                    assert_eq!(slab.get(key), Some(value));
                    assert_eq!(slab.at(key.index), value);
                    assert_eq!(slab.key_at(key.index), key);
                }
            }
            if step % 700 == 699 {
                for key in keys.drain(..) {
                    assert_eq!(slab.remove(key), model.remove(&key.to_bits()));
                }
                assert!(slab.is_empty());
            }
        }
    }
}
