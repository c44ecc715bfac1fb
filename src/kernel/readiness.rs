//! What is remembered of a socket's readiness between system calls.
//!
//! The kernel reports changes (edges), once. Between two reports the last one counts, corrected by
//! what the socket's own calls reveal:
//!
//! | seen | then this direction |
//! |---|---|
//! | nothing yet | may be ready: trying tells |
//! | a report | is ready |
//! | "it would block" | is not ready |
//! | fewer octets moved than were asked for | is not ready, unless a report said that an end is near |
//!
//! The last line spares a stream the call that would only be told to wait. It needs the exception
//! because there are reports that no later one repeats: the end of the data is announced once, maybe
//! before the data in front of it was read; and urgent data makes a read stop early.
//!
//! Invariant: a direction that is called not ready will be reported again when it becomes ready. A
//! report that is on its way while the memory changes arrives later and costs one vain try.

/// The two directions in which a descriptor can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards this process.
    Read,
    /// Away from it.
    Write,
}

/// One direction of a report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// It is ready.
    pub ready: bool,
    /// Something was reported that will not be repeated, so a short transfer proves nothing.
    pub lasting: bool,
}

/// The memory of both directions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readiness {
    read: Memory,
    write: Memory,
}

#[derive(Clone, Copy, Debug)]
struct Memory {
    ready: bool,
    lasting: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self { ready: true, lasting: false }
    }
}

impl Readiness {
    /// Is it worth trying?
    #[inline]
    pub fn is_ready(&self, direction: Direction) -> bool {
        match direction {
            Direction::Read => self.read.ready,
            Direction::Write => self.write.ready,
        }
    }

    /// The kernel has reported.
    pub fn note(&mut self, direction: Direction, report: Report) {
        let memory = self.of(direction);
        memory.ready |= report.ready;
        memory.lasting |= report.lasting;
    }

    /// A call was told that it would block.
    pub fn exhaust(&mut self, direction: Direction) {
        *self.of(direction) = Memory { ready: false, lasting: false };
    }

    /// A call moved something, but less than it was asked to.
    #[inline]
    pub fn fall_short(&mut self, direction: Direction) {
        let memory = self.of(direction);
        memory.ready = memory.lasting;
    }

    #[inline]
    fn of(&mut self, direction: Direction) -> &mut Memory {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Report = Report { ready: true, lasting: false };
    const END: Report = Report { ready: true, lasting: true };

    #[test]
    fn everything_may_be_ready_at_first() {
        let memory = Readiness::default();
        assert!(memory.is_ready(Direction::Read) && memory.is_ready(Direction::Write));
    }

    #[test]
    fn directions_are_apart() {
        let mut memory = Readiness::default();
        memory.exhaust(Direction::Write);
        assert!(memory.is_ready(Direction::Read) && !memory.is_ready(Direction::Write));
        memory.note(Direction::Write, PLAIN);
        memory.fall_short(Direction::Read);
        assert!(!memory.is_ready(Direction::Read) && memory.is_ready(Direction::Write));
    }

    #[test]
    fn an_end_that_was_reported_survives_short_reads() {
        let mut memory = Readiness::default();
        memory.note(Direction::Read, END);
        memory.fall_short(Direction::Read);
        assert!(memory.is_ready(Direction::Read));
    }

    #[test]
    fn would_block_is_the_last_word() {
        let mut memory = Readiness::default();
        memory.note(Direction::Read, END);
        memory.exhaust(Direction::Read);
        assert!(!memory.is_ready(Direction::Read));
        memory.note(Direction::Read, PLAIN);
        memory.fall_short(Direction::Read);
        assert!(!memory.is_ready(Direction::Read));
    }
}
