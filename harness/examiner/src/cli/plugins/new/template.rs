//! What is written for each role.

use crate::cli::arguments::NewRole;

/// The files of a plugin that plays a role, in which the plugin is called `my-plugin`.
pub(super) struct Template {
    /// What it is, in a phrase: `a model`.
    pub(super) what: &'static str,
    /// What the example does, in a sentence or two.
    pub(super) about: &'static str,
    /// The page about the role, in `docs/plugins`.
    pub(super) page: &'static str,
    /// The features of `examiner-api`.
    pub(super) features: &'static [&'static str],
    /// Whether it is made on `examiner-lm`.
    pub(super) is_local_model: bool,
    /// Further lines of its dependencies.
    pub(super) dependencies: &'static [&'static str],
    /// Further commands, with `my-plugin` in them.
    pub(super) commands: &'static [&'static str],
    /// Its own files by their paths.
    pub(super) files: &'static [(&'static str, &'static str)],
}

const QUESTIONS: (&str, &str) = ("data/questions.jsonl", include_str!("templates/shared/questions.jsonl"));
const ROWS: (&str, &str) = ("data/rows.jsonl", include_str!("templates/trainer/rows.jsonl"));

impl Template {
    /// The template of a role; none where there is no such role with `lm`.
    pub(super) fn of(role: NewRole, lm: bool) -> Option<Self> {
        Some(match (role, lm) {
            (NewRole::Model, false) => Template::MODEL,
            (NewRole::Model, true) => Template::LOCAL_MODEL,
            (_, true) => return None,
            (NewRole::Dataset, _) => Template::DATASET,
            (NewRole::Scorer, _) => Template::SCORER,
            (NewRole::Trainer, _) => Template::TRAINER,
            (NewRole::Recipe, _) => Template::RECIPE,
            (NewRole::Exporter, _) => Template::EXPORTER,
            (NewRole::Diagnostic, _) => Template::DIAGNOSTIC,
        })
    }

    const MODEL: Template = Template {
        what: "a model",
        about: "The model in it knows nothing: to it every character is as likely as any other, and it answers every question alike.",
        page: "model.md",
        features: &[],
        is_local_model: false,
        dependencies: &[],
        commands: &[],
        files: &[
            ("src/lib.rs", include_str!("templates/model/lib.rs")),
            ("suite.yaml", include_str!("templates/model/suite.yaml")),
            QUESTIONS,
        ],
    };

    const LOCAL_MODEL: Template = Template {
        what: "a local language model",
        about: "The model in it has counted which byte followed which others in a text. It is opened from a checkpoint, as large \
                models are: `data/checkpoint` has its configuration, its tokenizer, and the text in place of weights.",
        page: "local-model.md",
        is_local_model: true,
        files: &[
            ("src/lib.rs", include_str!("templates/local-model/lib.rs")),
            ("suite.yaml", include_str!("templates/local-model/suite.yaml")),
            ("data/checkpoint/config.json", include_str!("templates/local-model/config.json")),
            ("data/checkpoint/tokenizer.json", include_str!("templates/local-model/tokenizer.json")),
            ("data/checkpoint/corpus.txt", include_str!("templates/local-model/corpus.txt")),
            QUESTIONS,
        ],
        ..Template::MODEL
    };

    const DATASET: Template = Template {
        what: "a dataset",
        about: "The dataset in it makes questions of the rows of a file.",
        page: "dataset.md",
        features: &["rows"],
        files: &[
            ("src/lib.rs", include_str!("templates/dataset/lib.rs")),
            ("suite.yaml", include_str!("templates/dataset/suite.yaml")),
            QUESTIONS,
        ],
        ..Template::MODEL
    };

    const SCORER: Template = Template {
        what: "a scorer",
        about: "The scorer in it counts how many words an answer and the right one have in common.",
        page: "scorer.md",
        files: &[
            ("src/lib.rs", include_str!("templates/scorer/lib.rs")),
            ("suite.yaml", include_str!("templates/scorer/suite.yaml")),
            QUESTIONS,
        ],
        ..Template::MODEL
    };

    const TRAINER: Template = Template {
        what: "a trainer",
        about: "The trainer in it learns how likely each byte of a text is; a model beside it opens what was learned.",
        page: "trainer.md",
        features: &["rows"],
        files: &[
            ("src/lib.rs", include_str!("templates/trainer/lib.rs")),
            ("suite.yaml", include_str!("templates/trainer/suite.yaml")),
            QUESTIONS,
            ROWS,
        ],
        ..Template::MODEL
    };

    const RECIPE: Template = Template {
        what: "a recipe",
        about: "The recipe in it asks a teacher the questions of a file, and makes rows of the answers that are right. Recorded \
                answers are the teacher.",
        page: "recipe.md",
        features: &["rows"],
        files: &[
            ("src/lib.rs", include_str!("templates/recipe/lib.rs")),
            ("suite.yaml", include_str!("templates/recipe/suite.yaml")),
            ("data/recorded.jsonl", include_str!("templates/recipe/recorded.jsonl")),
            QUESTIONS,
        ],
        ..Template::MODEL
    };

    const EXPORTER: Template = Template {
        what: "an exporter",
        about: "The exporter in it rounds the weights of a checkpoint to 16 bits.",
        page: "exporter.md",
        dependencies: &[
            "# Numbers of 16 bits, and the format of the weights.",
            "half = \"2\"",
            "safetensors = \"0.8\"",
        ],
        files: &[
            ("src/lib.rs", include_str!("templates/exporter/lib.rs")),
            ("suite.yaml", include_str!("templates/exporter/suite.yaml")),
            QUESTIONS,
            ROWS,
        ],
        ..Template::MODEL
    };

    const DIAGNOSTIC: Template = Template {
        what: "a diagnostic",
        about: "The diagnostic in it looks for a program.",
        page: "diagnostic.md",
        commands: &["examiner doctor --plugins target/debug"],
        files: &[
            ("src/lib.rs", include_str!("templates/diagnostic/lib.rs")),
            ("suite.yaml", include_str!("templates/diagnostic/suite.yaml")),
            QUESTIONS,
        ],
        ..Template::MODEL
    };
}
