//! The names of activation functions.

/// The function between the two linear layers of a feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x·Φ(x)` by its tanh approximation: Hugging Face's `gelu_new`, `gelu_fast` and `gelu_pytorch_tanh`.
    GeluTanh,
    /// `x·Φ(x)`: Hugging Face's `gelu`.
    Gelu,
    /// `max(x, 0)`.
    Relu,
    /// `x·sigmoid(x)`: Hugging Face's `silu` and `swish`.
    Silu,
}

impl Activation {
    /// Names as they are in `config.json`, for messages.
    pub const NAMES: &str = "gelu_new, gelu_fast, gelu_pytorch_tanh, gelu, relu, silu, swish";

    /// The activation of that name in `config.json`.
    pub fn named(name: &str) -> Option<Activation> {
        Some(match name {
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Activation::GeluTanh,
            "gelu" => Activation::Gelu,
            "relu" => Activation::Relu,
            "silu" | "swish" => Activation::Silu,
            _ => return None,
        })
    }
}
