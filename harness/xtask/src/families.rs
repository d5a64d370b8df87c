//! The model families of the plugin `candle`, with what was measured of each.
//!
//! The tables in `README.md` and `docs/models.md` are generated from these (`cargo xtask docs`), and a test compares them
//! with the families that the plugin supports.

/// A model family.
pub(crate) struct Family {
    /// `model_type` in `config.json`.
    pub(crate) model_type: &'static str,
    /// Well-known models of the family.
    pub(crate) models: &'static str,
    /// What of the family is supported.
    pub(crate) support: &'static str,
    /// What the results were compared on.
    pub(crate) compared_on: &'static str,
    /// Largest difference of a log-likelihood to transformers, in nats, as printed.
    pub(crate) difference: &'static str,
    /// Measured by `cargo xtask bench models`.
    pub(crate) speed: Option<FamilySpeed>,
}

/// Tokens a second of a model of about 100 million parameters on two cores: Examiner's, then transformers'.
pub(crate) struct FamilySpeed {
    pub(crate) scoring: [u32; 2],
    pub(crate) generation: [u32; 2],
}

/// A family that `candle-transformers` computes.
pub(crate) struct AdaptedFamily {
    /// `model_type` in `config.json`.
    pub(crate) model_type: &'static str,
    /// Well-known models of the family.
    pub(crate) models: &'static str,
    /// What of `config.json` is refused, because the crate computes it otherwise than transformers.
    pub(crate) refused: &'static str,
    /// Whether prefixes are shared.
    pub(crate) shares_prefixes: bool,
    /// Whether one pass scores many tokens.
    pub(crate) scores_together: bool,
    /// Largest difference of a log-likelihood to transformers, in nats, as printed.
    pub(crate) difference: &'static str,
    /// Measured by `cargo xtask bench models`.
    pub(crate) speed: Option<FamilySpeed>,
}

/// What most families are compared on: what the reference data has of them.
pub(crate) const SMALL: &str = "a small random model: 8 scored rows, 4 greedy answers";
/// What the others are compared on.
pub(crate) const GROUND_TRUTH: &str = "a small random model of the tests: 20 scored rows, 20 greedy answers";

/// The values of `model_type`, in the order of the pages.
pub(crate) fn model_types() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|family| family.model_type).chain(ADAPTED.iter().map(|family| family.model_type))
}

/// Families described in the plugin, in the order of the pages.
pub(crate) const FAMILIES: [Family; 12] = [
    Family {
        model_type: "gpt2",
        models: "GPT-2, DistilGPT-2",
        support: "all",
        compared_on: "the trained model of 4.3M parameters: 280 scored rows, 39 greedy answers",
        difference: "5e-5",
        speed: Some(FamilySpeed { scoring: [2638, 794], generation: [606, 170] }),
    },
    Family {
        model_type: "llama",
        models: "Llama 2 and 3, TinyLlama, SmolLM",
        support: "grouped heads, biases, tied and untied heads",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [2950, 912], generation: [696, 230] }),
    },
    Family {
        model_type: "mistral",
        models: "Mistral",
        support: "also sliding windows, on all layers or by `layer_types`",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [2848, 904], generation: [683, 228] }),
    },
    Family {
        model_type: "qwen2",
        models: "Qwen 2 and 2.5",
        support: "also windows (`use_sliding_window`)",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [2846, 935], generation: [692, 207] }),
    },
    Family {
        model_type: "qwen3",
        models: "Qwen 3",
        support: "dense models; norms of each head",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [2992, 896], generation: [720, 206] }),
    },
    Family {
        model_type: "gemma2",
        models: "Gemma 2",
        support: "windows on every other layer, caps on scores and logits",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [2909, 797], generation: [630, 211] }),
    },
    Family {
        model_type: "gemma3_text",
        models: "Gemma 3, text models",
        support: "windows with a rotation of their own; not bidirectional attention",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [2974, 886], generation: [693, 208] }),
    },
    Family {
        model_type: "phi3",
        models: "Phi-3, Phi-4-mini",
        support: "partial rotation, windows",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [2954, 897], generation: [687, 223] }),
    },
    Family {
        model_type: "olmo2",
        models: "OLMo 2",
        support: "all",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [2767, 938], generation: [601, 222] }),
    },
    Family {
        model_type: "granite",
        models: "Granite 3, dense models",
        support: "the four factors",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [2922, 945], generation: [698, 227] }),
    },
    Family {
        model_type: "gpt_neox",
        models: "Pythia, GPT-NeoX",
        support: "parallel and sequential blocks, partial rotation",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [2245, 903], generation: [544, 201] }),
    },
    Family {
        model_type: "falcon",
        models: "Falcon 7B to 180B, Falcon 2",
        support: "one head of keys, groups, or all; one norm or two; not ALiBi",
        compared_on: GROUND_TRUTH,
        difference: "6e-6",
        speed: Some(FamilySpeed { scoring: [2702, 1018], generation: [662, 259] }),
    },
];

/// Families that `candle-transformers` computes, in the order of the pages.
pub(crate) const ADAPTED: [AdaptedFamily; 10] = [
    AdaptedFamily {
        model_type: "mixtral",
        models: "Mixtral 8x7B and 8x22B",
        refused: "`head_dim` other than the share of a head",
        shares_prefixes: true,
        scores_together: false,
        difference: "2e-5",
        speed: Some(FamilySpeed { scoring: [513, 1363], generation: [69, 226] }),
    },
    AdaptedFamily {
        model_type: "qwen2_moe",
        models: "Qwen 1.5 MoE, Qwen 2 57B-A14B",
        refused: "windows, `mlp_only_layers`, `qkv_bias: false`",
        shares_prefixes: true,
        scores_together: false,
        difference: "2e-5",
        speed: Some(FamilySpeed { scoring: [372, 928], generation: [49, 168] }),
    },
    AdaptedFamily {
        model_type: "qwen3_moe",
        models: "Qwen 3 30B-A3B and 235B-A22B",
        refused: "windows, `mlp_only_layers`",
        shares_prefixes: true,
        scores_together: true,
        difference: "1e-5",
        speed: Some(FamilySpeed { scoring: [856, 1258], generation: [65, 190] }),
    },
    AdaptedFamily {
        model_type: "deepseek_v2",
        models: "DeepSeek V2 Lite",
        refused: "`topk_method` other than `greedy` (DeepSeek V2 itself), `norm_topk_prob`, `moe_layer_freq` other than 1, \
                  `rms_norm_eps` other than 1e-6, `mlp_bias`, yarn without `mscale` and `mscale_all_dim`",
        shares_prefixes: false,
        scores_together: false,
        difference: "2e-5",
        speed: Some(FamilySpeed { scoring: [334, 956], generation: [49, 138] }),
    },
    AdaptedFamily {
        model_type: "gemma",
        models: "Gemma 1, CodeGemma",
        refused: "an output head of its own, bidirectional attention",
        shares_prefixes: true,
        scores_together: true,
        difference: "5e-5",
        speed: Some(FamilySpeed { scoring: [740, 874], generation: [56, 212] }),
    },
    AdaptedFamily {
        model_type: "glm4",
        models: "GLM-4 0414 (9B, 32B)",
        refused: "-",
        shares_prefixes: false,
        scores_together: true,
        difference: "5e-6",
        speed: Some(FamilySpeed { scoring: [804, 899], generation: [58, 200] }),
    },
    AdaptedFamily {
        model_type: "phi",
        models: "Phi 1, 1.5 and 2",
        refused: "`qk_layernorm`",
        shares_prefixes: true,
        scores_together: false,
        difference: "5e-6",
        speed: Some(FamilySpeed { scoring: [327, 775], generation: [52, 190] }),
    },
    AdaptedFamily {
        model_type: "stablelm",
        models: "StableLM 3B, StableLM 2 1.6B",
        refused: "`qk_layernorm` and `use_parallel_residual` (StableLM 2 12B)",
        shares_prefixes: false,
        scores_together: false,
        difference: "2e-5",
        speed: Some(FamilySpeed { scoring: [439, 877], generation: [58, 189] }),
    },
    AdaptedFamily {
        model_type: "starcoder2",
        models: "StarCoder 2",
        refused: "an output head of its own",
        shares_prefixes: true,
        scores_together: false,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [395, 1006], generation: [60, 230] }),
    },
    AdaptedFamily {
        model_type: "mamba",
        models: "Mamba, in transformers' layout (`-hf`)",
        refused: "sizes of state, convolution and expansion other than 16, 4 and 2, `use_bias`, `use_conv_bias: false`",
        shares_prefixes: true,
        scores_together: false,
        difference: "2e-5",
        speed: None,
    },
];
