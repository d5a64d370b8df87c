//! The sizes of all models of random weights.

/// The sizes of a GPT-2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gpt2Shape {
    pub(crate) vocabulary: usize,
    pub(crate) context: usize,
    pub(crate) width: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
}

/// The sizes of a Llama.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LlamaShape {
    pub(crate) vocabulary: usize,
    pub(crate) context: usize,
    pub(crate) width: usize,
    pub(crate) inner: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
}

/// GPT-2 as it was published in its smallest size.
pub(crate) const GPT2_124M: Gpt2Shape =
    Gpt2Shape { vocabulary: 50257, context: 1024, width: 768, layers: 12, heads: 12 };
/// The token that ends a text in the published GPT-2.
pub(crate) const GPT2_END: u32 = 50256;
/// A GPT-2 that is measured in seconds: what `--quick` means.
pub(crate) const GPT2_QUICK: Gpt2Shape = Gpt2Shape { vocabulary: 1024, context: 512, width: 128, layers: 4, heads: 4 };
/// A GPT-2 that is fast enough to be killed and restarted dozens of times.
pub(crate) const GPT2_TORTURE: Gpt2Shape = Gpt2Shape { vocabulary: 96, context: 64, width: 96, layers: 3, heads: 4 };
/// A Llama of 101 million parameters.
pub(crate) const LLAMA_101M: LlamaShape =
    LlamaShape { vocabulary: 16_384, context: 1024, width: 768, inner: 2048, layers: 12, heads: 12, kv_heads: 4 };
/// SmolLM2 as it was published in its smallest size, but for its context.
pub(crate) const SMOLLM2_135M: LlamaShape =
    LlamaShape { vocabulary: 49_152, context: 1024, width: 576, inner: 1536, layers: 30, heads: 9, kv_heads: 3 };
/// A Llama that is measured in seconds: what `--quick` means.
pub(crate) const LLAMA_QUICK: LlamaShape =
    LlamaShape { vocabulary: 512, context: 1024, width: 128, inner: 256, layers: 4, heads: 4, kv_heads: 2 };
/// Tokens of the models of every family, of about 100 million parameters, that transformers builds.
pub(crate) const FAMILY_VOCABULARY: usize = 16_384;
