//! The pure data structures against models, under sequences of operations that proptest makes up.
//!
//! A model does the same in the most obvious way, slowly: a sorted vector for a heap, the definition of
//! "cancelled" for the tree. What differs is shrunk to a short sequence. `PROPTEST_CASES` says how many
//! sequences there are per structure; the tests need neither Python nor a network, so that miri can
//! run them.

mod cancel_tree;
mod queues;
mod readiness;
mod slab;
