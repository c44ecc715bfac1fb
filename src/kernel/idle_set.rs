//! Who wants to run once everybody else is blocked, and for how long the calm must last.
//!
//! Ordered by cushion (seconds of calm), then by arrival. When the calm has lasted for the lowest
//! cushion, everybody with exactly that cushion is woken; the others wait for a longer calm.

/// Names a member of an [`IdleSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleKey(pub u64);

#[derive(Debug)]
struct Waiter<T> {
    cushion: f64,
    key: IdleKey,
    value: T,
}

/// The set; small in practice, so a sorted vector is the fastest form.
#[derive(Debug)]
pub struct IdleSet<T> {
    waiters: Vec<Waiter<T>>,
    arrivals: u64,
}

impl<T> Default for IdleSet<T> {
    fn default() -> Self {
        Self { waiters: Vec::new(), arrivals: 0 }
    }
}

impl<T> IdleSet<T> {
    /// Adds a value that asks for `cushion` seconds of calm.
    pub fn insert(&mut self, cushion: f64, value: T) -> IdleKey {
        self.arrivals += 1;
        let key = IdleKey(self.arrivals);
        let at = self.waiters.partition_point(|waiter| waiter.cushion <= cushion);
        self.waiters.insert(at, Waiter { cushion, key, value });
        key
    }

    /// The shortest calm that somebody waits for.
    #[inline]
    pub fn lowest_cushion(&self) -> Option<f64> {
        self.waiters.first().map(|waiter| waiter.cushion)
    }

    /// Takes one member out; `None` if it was woken already.
    pub fn remove(&mut self, key: IdleKey) -> Option<T> {
        let at = self.waiters.iter().position(|waiter| waiter.key == key)?;
        Some(self.waiters.remove(at).value)
    }

    /// Takes everybody with the lowest cushion, in order of arrival.
    #[must_use]
    pub fn take_lowest(&mut self) -> Vec<T> {
        let Some(lowest) = self.lowest_cushion() else { return Vec::new() };
        let end = self.waiters.partition_point(|waiter| waiter.cushion <= lowest);
        self.waiters.drain(..end).map(|waiter| waiter.value).collect()
    }

    /// All members.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiters.iter().map(|waiter| &waiter.value)
    }
}

#[cfg(test)]
mod tests {
    use super::IdleSet;

    #[test]
    fn the_lowest_cushion_is_woken_together() {
        let mut set = IdleSet::default();
        set.insert(0.5, 'b');
        set.insert(0.0, 'a');
        let gone = set.insert(0.0, 'x');
        set.insert(0.0, 'c');
        assert_eq!(set.remove(gone), Some('x'));
        assert_eq!(set.remove(gone), None);
        assert_eq!(set.take_lowest(), ['a', 'c']);
        assert_eq!(set.lowest_cushion(), Some(0.5));
        assert_eq!(set.take_lowest(), ['b']);
        assert!(set.take_lowest().is_empty());
    }
}
