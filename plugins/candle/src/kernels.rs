//! Arithmetic on the CPU whose results do not depend on what else is computed beside them.
//!
//! A matrix library chooses its path by the shape of the whole product: a single row takes another one than sixty-four,
//! and the sums come out in another order. Here every output element is one serial chain of fused multiply-adds over
//! `k`, from the same start, whatever tile it falls into. Threads share out rows and columns, never `k`. So a row of
//! logits is the same, bit for bit, alone or in a crowd, with a cached prefix or without, on AVX-512 or without any
//! vector unit at all.

mod activation;
mod attention;
mod kv_layout;
mod lanes;
mod linear;
mod math;
mod norm;
mod packed_weights;
mod rotary;
mod tasks;
mod tile;

pub use lanes::Isa;
pub use linear::{Finish, Linear};
pub use packed_weights::Order;

pub(crate) use activation::{activate, gate, softcap};
pub(crate) use attention::{AttentionShape, attend};
pub(crate) use kv_layout::{Past, PastLayout};
pub(crate) use lanes::for_each_isa;
pub(crate) use math::{exp, highest_of, sum_of};
pub(crate) use norm::{layer_norm, rms_norm};
pub(crate) use rotary::rotate;
