//! Places at which the core can be made to panic, to see what a panic leaves behind.
//!
//! A panic is a bug of this package, so there is none to test with. A build with debug assertions has
//! tripwires: one of them can be armed, and whoever comes to its place then panics, once. They hang on
//! debug assertions and not on a feature of their own, because a feature could be switched on for a
//! release; the release profile, of which every wheel is made, has no such assertions, and there
//! [`tripwire`] expands to nothing.
//!
//! `tests/reliability/panics.py` arms each of them.

#[cfg(debug_assertions)]
macro_rules! tripwire {
    ($place:ident) => {
        $crate::kernel::tripwires::step_over($crate::kernel::tripwires::Place::$place)
    };
}

#[cfg(not(debug_assertions))]
macro_rules! tripwire {
    ($place:ident) => {};
}

pub(crate) use tripwire;

#[cfg(debug_assertions)]
pub use wires::{arm, disarm, step_over, Place, PLACES};

#[cfg(debug_assertions)]
mod wires {
    use std::sync::atomic::{AtomicUsize, Ordering};

    macro_rules! places {
        ($($name:ident: $meaning:literal,)*) => {
            /// Where a tripwire is.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum Place {
                $(#[doc = $meaning] $name,)*
            }

            /// What happens at each place, in the order of [`Place`].
            pub const PLACES: &[&str] = &[$($meaning,)*];
        };
    }

    places! {
        RunBegins: "a run begins",
        RunLaunched: "the root task is spawned",
        RunEnds: "a run ends",
        TickPrepared: "a tick is prepared",
        Polled: "the poller waits",
        EventsRead: "events are read from the poller",
        DeadlineDue: "a deadline is taken from the heap",
        CalmReached: "everybody is blocked",
        BatchRun: "a batch begins",
        TaskStepped: "a task is resumed",
        TrapObeyed: "a trap is obeyed",
        TaskFinished: "a task is booked out",
        TaskSpawned: "a task is made",
        TaskQueued: "a task is put into the run queue",
        SleepAborted: "a sleep is aborted",
        ScopeEntered: "a cancel scope is entered",
        ScopeLeft: "a cancel scope is left",
        ScopeCancelled: "a cancel scope is cancelled",
        CancelDelivered: "a cancellation is delivered",
        NurseryOpened: "a nursery is opened",
        NurseryLeft: "the block of a nursery ends",
        NurseryEnded: "a nursery ends",
        ChildGone: "a child leaves its nursery",
        CheckpointPolled: "a checkpoint is polled",
        OperationTried: "an operation is attempted",
        ItemSent: "an item is put into a channel",
        ItemTaken: "an item is taken from a channel",
        LockTried: "a lock is acquired",
        SleepBegun: "a sleeper is put into the heap",
        SocketTried: "a call on a socket is attempted",
        SocketAwaited: "a task is entered with the poller",
        SocketAbandoned: "a task is taken out of the poller's table",
        CallQueued: "a call is put into the entry queue",
        CallsWorkedOff: "calls are taken from the entry queue",
        CallsNoticed: "the entry queue's task is woken",
        InterruptDelivered: "Ctrl-C is delivered",
        GuestTicked: "the host has a guest run tick",
        GuestPrepared: "a guest run asks for its next tick",
        GuestWaited: "a guest run waits in a worker thread",
        GuestResumed: "a guest run is resumed after a wait",
        GatePassed: "an idle worker thread waits for a job",
        GateOpened: "an idle worker thread is woken",
        ContentDropped: "the content of a pooled object is dropped",
    }

    /// The armed place, counted from one; zero if none is.
    static ARMED: AtomicUsize = AtomicUsize::new(0);
    /// How often one may still come by unharmed.
    static SPARED: AtomicUsize = AtomicUsize::new(0);

    /// Arms the tripwire at a place, to go off at the visit after so many others. False if there is
    /// no such place.
    pub fn arm(place: &str, spared: usize) -> bool {
        let Some(index) = PLACES.iter().position(|known| *known == place) else { return false };
        SPARED.store(spared, Ordering::SeqCst);
        ARMED.store(index + 1, Ordering::SeqCst);
        true
    }

    /// Takes the tripwire away. Was it still there?
    pub fn disarm() -> bool {
        ARMED.swap(0, Ordering::SeqCst) != 0
    }

    /// Somebody comes to a place.
    ///
    /// # Panics
    /// If its tripwire goes off.
    pub fn step_over(place: Place) {
        let armed = place as usize + 1;
        if ARMED.load(Ordering::SeqCst) != armed {
            return;
        }
        let spare = |left: usize| left.checked_sub(1);
        if SPARED.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spare).is_ok() {
            return;
        }
        let disarmed = ARMED.compare_exchange(armed, 0, Ordering::SeqCst, Ordering::SeqCst);
        assert!(disarmed.is_err(), "tripwire: {}", PLACES[place as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_off_once_at_its_place_and_in_its_turn() {
        assert!(!arm("nowhere", 0));
        assert!(!disarm());
        assert!(arm("a batch begins", 1));
        step_over(Place::TaskStepped);
        step_over(Place::BatchRun);
        let struck = std::panic::catch_unwind(|| step_over(Place::BatchRun));
        let text = struck.expect_err("armed").downcast::<String>().expect("a formatted text");
        assert_eq!(*text, "tripwire: a batch begins");
        step_over(Place::BatchRun);
        assert!(!disarm());
    }
}
