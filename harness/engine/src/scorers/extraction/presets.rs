//! Pipelines that have a name.

use super::Pipeline;
use serde_json::{Value, json};

/// A pipeline that has a name.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// The name.
    pub name: &'static str,
    /// What it is for, in one sentence.
    pub summary: &'static str,
    /// The pipeline as it would be written in a suite. It may name presets that are defined before it.
    pub written: fn() -> Value,
}

/// All presets.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "gsm8k",
        summary: "The number after `####`, else after `answer is`, else the last number, before any further question.",
        written: || {
            json!([
                {"cut": "Question:"},
                {"any": [
                    [{"after": {"marker": "####", "which": "first"}}, "first-line", "first-number"],
                    [{"after": {"marker": "answer is", "ignore_case": true}}, "first-line", "first-number"],
                    ["last-number"]
                ]}
            ])
        },
    },
    Preset {
        name: "strict",
        summary: "What lm-evaluation-harness's `strict-match` of GSM8K finds: the first number after `#### `.",
        written: || json!([{"regex": r"#### (\-?[0-9\.\,]+)"}]),
    },
    Preset {
        name: "flexible",
        summary: "What lm-evaluation-harness's `flexible-extract` of GSM8K finds: the last that looks like a number.",
        written: || json!([{"regex": {"pattern": r"(-?[$0-9.,]{2,})|(-?[0-9]+)", "take": "last"}}]),
    },
    Preset {
        name: "opencompass",
        summary: "What OpenCompass's `gsm8k_postprocess` finds: the last number, where `1,234` ends in `234`.",
        written: || json!([{"cut": "Question:"}, {"regex": {"pattern": r"-?\d+\.\d+|-?\d+", "take": "last"}}]),
    },
    Preset {
        name: "bbh",
        summary: "What BIG-Bench-Hard's authors count: the line after the last `answer is `, without one period at its end.",
        written: || json!([{"after": "answer is "}, {"regex": r"\A([^\n]*?)\.?\r?(?:\n|\z)"}]),
    },
    Preset {
        name: "opencompass-bbh-choice",
        summary: "What OpenCompass's `bbh_mcq_postprocess` finds: a capital in parentheses, else any capital, else the text.",
        written: || {
            json!([
                {"regex": r"(?s)\A(?:.*?answer is (.*?)(?:answer is .*)?|(.*))\z"},
                {"any": [[{"regex": r"\(([A-Z])"}], [{"regex": "[A-Z]"}], ["trim"]]}
            ])
        },
    },
    Preset {
        name: "opencompass-bbh-text",
        summary: "What OpenCompass's `bbh_freeform_postprocess` finds: the line after `answer is`, its commas left out.",
        written: || {
            json!([
                {"regex": r"(?is)\A(?:.*answer is:?(.*)|(.*))\z"},
                "first-line",
                {"regex": r"\A\s*(.*?)\s*\.?\s*\z"},
                {"any": [[{"regex": r"\*\*(.*?)\*\*"}], ["trim"]]},
                {"any": [
                    [{"regex": r"(?i)\A(yes|no|true|false)\b"}, "capitalize"],
                    // A comma between digits separates thousands, and is kept.
                    [
                        {"replace": {"pattern": r"\s*,\s*(?!\d)|(?<!\d)\s*,\s*", "with": " "}},
                        {"replace": {"pattern": r"\s+", "with": " "}}
                    ]
                ]}
            ])
        },
    },
    Preset {
        name: "text",
        summary: "The line after `answer is`, else after `####`, else the last line; without a period at its end.",
        written: || {
            json!([
                {"any": [
                    [{"after": {"marker": "answer is", "ignore_case": true}}, "first-line", {"strip": ": "}],
                    [{"after": "####"}, "first-line"],
                    ["last-line"]
                ]},
                {"regex": r"(?s)^\s*(.*?)\.?\s*$"}
            ])
        },
    },
    Preset {
        name: "choice",
        summary: "The letter of an option after `answer is`, else anywhere, else the answer as `text` finds it.",
        written: || {
            json!([{"any": [
                [{"after": {"marker": "answer is", "ignore_case": true}}, "first-line", "option-letter"],
                ["option-letter"],
                ["text"]
            ]}])
        },
    },
];

/// The preset of this name.
pub fn preset(name: &str) -> Option<Pipeline> {
    let preset = PRESETS.iter().find(|preset| preset.name == name)?;
    // A test reads every preset: none of them fails here.
    Pipeline::from_value((preset.written)()).ok()
}
