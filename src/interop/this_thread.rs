//! Which thread this is, in one instruction.
//!
//! A `thread_local!` of a shared library costs a call for each access. Where only the question "is it
//! the same thread as last time?" matters, the address of the thread's control block answers it: the
//! processor has it in a register, and two threads that live at the same time have different ones.

/// A number that no other living thread has. A thread that begins later may get it again.
#[inline]
pub fn identity() -> usize {
    let identity: usize;
    // SAFETY: the x86-64 ABI for thread-local storage has the control block begin with its own address;
    // the instruction reads that word and changes nothing.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "mov {}, fs:0",
            out(reg) identity,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    // SAFETY: reads the register that holds the control block's address.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "mrs {}, tpidr_el0",
            out(reg) identity,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        thread_local! {
            static MARK: u8 = const { 0 };
        }
        identity = MARK.with(|mark| std::ptr::from_ref(mark) as usize);
    }
    identity
}

#[cfg(test)]
mod tests {
    use super::identity;

    #[test]
    fn threads_that_live_together_differ() {
        let mine = identity();
        let other = std::thread::spawn(identity).join().expect("the thread ends");
        assert_ne!(mine, other);
        assert_eq!(mine, identity());
    }
}
