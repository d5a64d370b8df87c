//! The model families of the plugin `candle`, with what was measured of each.
//!
//! The tables in `README.md` and `docs/models.md` are generated from this one (`cargo xtask docs`), and a test compares it
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

/// What most families are compared on.
const SMALL: &str = "a small random model: 8 scored rows, 4 greedy answers";

/// All families, in the order of the pages.
pub(crate) const FAMILIES: [Family; 11] = [
    Family {
        model_type: "gpt2",
        models: "GPT-2, DistilGPT-2",
        support: "all",
        compared_on: "the trained model of 4.3M parameters: 280 scored rows, 39 greedy answers",
        difference: "5e-5",
        speed: Some(FamilySpeed { scoring: [861, 657], generation: [194, 123] }),
    },
    Family {
        model_type: "llama",
        models: "Llama 2 and 3, TinyLlama, SmolLM",
        support: "grouped heads, biases, tied and untied heads",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [916, 756], generation: [222, 158] }),
    },
    Family {
        model_type: "mistral",
        models: "Mistral",
        support: "also sliding windows, on all layers or by `layer_types`",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [766, 712], generation: [170, 148] }),
    },
    Family {
        model_type: "qwen2",
        models: "Qwen 2 and 2.5",
        support: "also windows (`use_sliding_window`)",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [757, 777], generation: [200, 153] }),
    },
    Family {
        model_type: "qwen3",
        models: "Qwen 3",
        support: "dense models; norms of each head",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [900, 718], generation: [217, 161] }),
    },
    Family {
        model_type: "gemma2",
        models: "Gemma 2",
        support: "windows on every other layer, caps on scores and logits",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [812, 640], generation: [202, 146] }),
    },
    Family {
        model_type: "gemma3_text",
        models: "Gemma 3, text models",
        support: "windows with a rotation of their own; not bidirectional attention",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [836, 710], generation: [218, 155] }),
    },
    Family {
        model_type: "phi3",
        models: "Phi-3, Phi-4-mini",
        support: "partial rotation, windows",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [895, 791], generation: [220, 157] }),
    },
    Family {
        model_type: "olmo2",
        models: "OLMo 2",
        support: "all",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [834, 770], generation: [234, 167] }),
    },
    Family {
        model_type: "granite",
        models: "Granite 3, dense models",
        support: "the four factors",
        compared_on: SMALL,
        difference: "7e-6",
        speed: Some(FamilySpeed { scoring: [956, 780], generation: [237, 169] }),
    },
    Family {
        model_type: "gpt_neox",
        models: "Pythia, GPT-NeoX",
        support: "parallel and sequential blocks, partial rotation",
        compared_on: SMALL,
        difference: "7e-6",
        speed: None,
    },
];
