//! [`Readiness`] against a kernel: a stream's buffer, and the edges that it reports.
//!
//! The property that everything rests on: whoever believes the memory, tries when it says "ready" and
//! sleeps until the next report when it does not, never sleeps while there is something to read.

use _native::kernel::{Direction, Readiness, Report};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// The peer sends so much.
    Arrive(u8),
    /// The peer ends its side.
    End,
    /// Reports that are on their way are delivered.
    Deliver,
    /// The reader would like to have so much, if it is worth trying.
    Read(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..20_u8).prop_map(Step::Arrive),
        1 => Just(Step::End),
        3 => Just(Step::Deliver),
        5 => (1..20_u8).prop_map(Step::Read),
    ]
}

#[derive(Default)]
struct Kernel {
    octets: u32,
    ended: bool,
    edge: Option<Report>,
}

impl Kernel {
    fn change(&mut self, octets: u32, ended: bool) {
        if self.ended {
            return;
        }
        self.octets += octets;
        self.ended = ended;
        self.edge = Some(Report { ready: true, lasting: ended });
    }

    fn deliver(&mut self, memory: &mut Readiness) {
        if let Some(report) = self.edge.take() {
            memory.note(Direction::Read, report);
        }
    }

    /// What a read of at most `wanted` octets does to the memory.
    fn read(&mut self, wanted: u32, memory: &mut Readiness) {
        let got = self.octets.min(wanted);
        self.octets -= got;
        if got == 0 && !self.ended {
            memory.exhaust(Direction::Read);
        } else if got > 0 && got < wanted {
            memory.fall_short(Direction::Read);
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_missed(steps in prop::collection::vec(step(), 1..120)) {
        let mut kernel = Kernel::default();
        let mut memory = Readiness::default();
        for step in steps {
            match step {
                Step::Arrive(count) => kernel.change(u32::from(count), false),
                Step::End => kernel.change(0, true),
                Step::Deliver => kernel.deliver(&mut memory),
                Step::Read(wanted) if memory.is_ready(Direction::Read) => {
                    kernel.read(u32::from(wanted), &mut memory);
                }
                Step::Read(_) => {}
            }
            let something = kernel.octets > 0 || kernel.ended;
            let will_be_told = kernel.edge.is_some();
            prop_assert!(memory.is_ready(Direction::Read) || !something || will_be_told);
            prop_assert!(memory.is_ready(Direction::Write), "the other direction is left alone");
        }
    }
}
