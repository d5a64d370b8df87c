//! Arithmetic on the CPU whose results do not depend on what else is computed beside them.
//!
//! A matrix library chooses its path by the shape of the whole product: a single row takes another one than sixty-four,
//! and the sums come out in another order. Here every output element is one serial chain of fused multiply-adds over
//! `k`, from the same start, whatever tile it falls into. Threads share out rows and columns, never `k`. So a row of
//! logits is the same, bit for bit, alone or in a crowd, with a cached prefix or without, on AVX-512 or without any
//! vector unit at all.

//!
//! [`train`] has the arithmetic of training, which makes another promise.
//!
//! Where products are of `bf16` ([`Products`]), the sums have a fixed order, too, but it is that of the unit that multiplies.
//!
//! **Unsafe code** is in the registers (`lanes`), the inner loop over them (`tile`), what calls it (`product`, `linear`, `pairs`,
//! `quantized`, `attention`), matrix units (`unit`), and where threads of training write to one array. Everything else is safe
//! code that the macro `for_each_isa` compiles for each instruction set.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod activation;
mod attention;
mod elements;
mod isa;
mod kv_layout;
mod lanes;
mod linear;
mod math;
mod norm;
mod packed_weights;
mod pairs;
mod product;
mod quantized;
mod rotary;
mod scratch;
mod tasks;
mod tile;
pub mod train;
mod unit;
mod weights;

pub use activation::{activate, gate, softcap};
pub use attention::{AttentionShape, attend};
pub use isa::Isa;
pub use kv_layout::{KvBlock, KvLayout, KvMemory, KvType};
pub use linear::{Finish, Linear};
pub use norm::{layer_norm, rms_norm};
pub use packed_weights::{Order, WeightType};
pub use quantized::{BlockFormat, BlockInputs, Blocks};
pub use rotary::rotate;
pub use unit::Unit;
pub use weights::Products;
