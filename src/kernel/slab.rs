//! Storage with stable keys: a vector of slots and a list of free ones.
//!
//! A key carries the generation of its slot, so a key that outlived its value is recognised instead
//! of reaching whatever took the place over.

/// Names a value in a [`Slab`]; worthless (but harmless) once the value was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlabKey {
    pub index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// A growing set of values under stable keys.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Stores `value`; O(1).
    pub fn insert(&mut self, value: T) -> SlabKey {
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.value = Some(value);
            return SlabKey { index, generation: slot.generation };
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 values");
        self.slots.push(Slot { generation: 0, value: Some(value) });
        SlabKey { index, generation: 0 }
    }

    /// Takes the value out; `None` if the key is stale. O(1).
    pub fn remove(&mut self, key: SlabKey) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(value)
    }

    /// The value, unless the key is stale.
    pub fn get(&self, key: SlabKey) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        if slot.generation == key.generation {
            slot.value.as_ref()
        } else {
            None
        }
    }

    /// The value, unless the key is stale.
    pub fn get_mut(&mut self, key: SlabKey) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
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
        self.slots[index as usize].value.as_ref().expect("a link points at a live slot")
    }

    /// The live value in slot `index`, mutably. Panics like [`Slab::at`].
    #[inline]
    pub fn at_mut(&mut self, index: u32) -> &mut T {
        self.slots[index as usize].value.as_mut().expect("a link points at a live slot")
    }

    /// The current key of the live slot `index`.
    pub fn key_at(&self, index: u32) -> SlabKey {
        SlabKey { index, generation: self.slots[index as usize].generation }
    }

    /// Is nothing stored?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.slots.len() == self.free.len()
    }

    /// All live values.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
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
}
