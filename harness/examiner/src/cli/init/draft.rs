//! The text of a first suite, with comments for whoever goes on from it.

use std::path::Path;

/// What a first suite says.
#[derive(Debug, PartialEq)]
pub(super) struct Draft {
    pub(super) model: Model,
    pub(super) data: Data,
}

#[derive(Debug, PartialEq)]
pub(super) enum Model {
    /// The tutorial's model, which needs nothing.
    Echo,
    /// A local checkpoint, as the suite writes its path or address.
    Checkpoint(String),
    /// A model of a server.
    Endpoint { model: String, base_url: String },
}

/// A table of questions, and what its columns are.
#[derive(Debug, PartialEq)]
pub(super) struct Data {
    pub(super) path: String,
    pub(super) prompt: String,
    pub(super) choices: Option<Choices>,
    pub(super) gold: String,
}

#[derive(Debug, PartialEq)]
pub(super) enum Choices {
    /// A column with a list.
    List(String),
    /// A column for each.
    Columns(Vec<String>),
}

impl Draft {
    /// The suite, which is to lie in the file `suite`.
    pub(super) fn text(&self, suite: &Path) -> String {
        let (file, name) = (suite.display(), name_of(suite));
        format!(
            "# Written by `examiner init`. What to do with it:\n#\n\
             #   examiner check {file}    # every mistake at once, with its line\n\
             #   examiner run {file} --limit 10    # a first look at ten questions\n\
             #   examiner run {file}    # all of them; interrupted, the same command goes on\n\
             #   examiner show --wrong    # what was answered wrongly\n\
             #   examiner schema > suite.schema.json    # for completion in an editor, which finds it by a first line\n\
             #                                          # `yaml-language-server: $schema=suite.schema.json`\n#\n\
             # Paths begin at this file.\n\
             name: {name}\nseed: 1\n\nmodels:\n{}\ndatasets:\n{}\n\
             # Each model on each dataset. A second model, or a second wording of the dataset, is compared with the first by\n\
             # `examiner compare --baseline NAME`.\nevaluate:\n  - {{ models: all, datasets: all }}\n",
            self.model(),
            self.dataset()
        )
    }

    fn model(&self) -> String {
        match &self.model {
            Model::Echo => {
                "  # Answers with its own prompt: to try the program.\n  echo: { plugin: echo }\n".to_owned()
            }
            Model::Checkpoint(path) => format!(
                "  model:\n    plugin: candle\n    # A directory, a `.gguf` file, or `hf://ORG/NAME`.\n    checkpoint: {}\n    \
                 # `auto`: prompts go through the checkpoint's chat template if it has one. `false`: as they are.\n    chat: auto\n    \
                 # All options: `examiner plugins --schema candle`.\n",
                quoted(path)
            ),
            Model::Endpoint { model, base_url } => format!(
                "  model:\n    plugin: openai\n    model: {}\n    base_url: {}\n    \
                 # The environment variable that holds the key; leave the line out for a server without one.\n    \
                 api_key_env: OPENAI_API_KEY\n    # All options: `examiner plugins --schema openai`.\n",
                quoted(model),
                quoted(base_url)
            ),
        }
    }

    /// An endpoint for chats tells no log-likelihoods, so that its model is asked for the letter of the right choice.
    fn asks_for_letters(&self) -> bool {
        self.data.choices.is_some() && matches!(self.model, Model::Endpoint { .. })
    }

    fn dataset(&self) -> String {
        let Data { path, prompt, choices, gold } = &self.data;
        let listed = match (choices, self.asks_for_letters()) {
            (Some(choices), true) => format!("{}\\nAnswer with the letter of the right choice.", choices.listed()),
            _ => String::new(),
        };
        let mut text = format!(
            "  questions:\n    plugin: table\n    path: {}\n    # Jinja: `{{{{ COLUMN }}}}` is the value of a column.\n    \
             prompt: \"Question: {{{{ {} }}}}{listed}\\nAnswer:\"\n",
            quoted(path),
            in_template(prompt)
        );
        if let Some(choices) = choices {
            text.push_str(&format!("    choices: {}\n", quoted(&choices.expression())));
        }
        text.push_str(&format!(
            "    # {}\n    gold: {}\n",
            match choices {
                Some(_) => "The letter, index (from 0) or text of the right choice; `gold_is` says which, if that is not clear.",
                None => "The right answer.",
            },
            quoted(&expression(gold))
        ));
        text.push_str(
            "    # Questions of the file as examples before each question: `few_shot: same` and `shots: 4`.\n",
        );
        text.push_str(match (choices, self.asks_for_letters()) {
            (None, _) => {
                "    # Finds the answer in what the model writes: a number, or a text. `docs/scorers.md` has the rules.\n    \
                 scorer: answer-extraction\n    generation: { max_new_tokens: 256 }\n"
            }
            (Some(_), true) => {
                "    # Finds the letter or the text of a choice in what the model writes.\n    scorer: answer-extraction\n    \
                 generation: { max_new_tokens: 16 }\n"
            }
            (Some(_), false) => {
                "    # The most likely choice: by the sum of its log-likelihoods (`acc`), and by that sum for each character\n    \
                 # (`acc_norm`), as lm-evaluation-harness has them.\n    \
                 scorer: { name: perplexity-choice, normalize: [sum, chars] }\n"
            }
        });
        text
    }
}

impl Choices {
    /// The list of choices, for the option `choices`.
    fn expression(&self) -> String {
        match self {
            Choices::List(column) => expression(column),
            Choices::Columns(columns) => {
                format!("[{}]", columns.iter().map(|column| in_template(column)).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Lines of a prompt, `A. first`, in a YAML text in double quotes.
    fn listed(&self) -> String {
        let list = self.expression().replace('"', "\\\"");
        format!("{{% for choice in {list} %}}\\n{{{{ loop.index0 | letter }}}}. {{{{ choice }}}}{{% endfor %}}")
    }
}

/// A column as an expression of a template. A name that is no identifier is looked up in the row.
fn expression(column: &str) -> String {
    let is_identifier = !column.is_empty()
        && column.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !column.starts_with(|c: char| c.is_ascii_digit());
    match is_identifier {
        true => column.to_owned(),
        false => format!("row['{}']", column.replace('\\', "\\\\").replace('\'', "\\'")),
    }
}

/// The same within a YAML text in double quotes.
fn in_template(column: &str) -> String {
    expression(column).replace('\\', "\\\\").replace('"', "\\\"")
}

/// A YAML text, in quotes where it could be something else.
fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.' || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c))
        && text.contains(|c: char| c.is_ascii_alphabetic() && !"nNyY".contains(c));
    if is_plain && !["true", "false", "null"].contains(&&*text.to_lowercase()) {
        return text.to_owned();
    }
    // A `${` would be a reference.
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${"))
}

/// The suite's name: its file's, as far as a name may have it.
fn name_of(suite: &Path) -> String {
    let stem = suite.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = stem.chars().map(kept).collect();
    let name = name.trim_matches('-').to_owned();
    // A name of digits alone would be read as a number.
    if name.contains(|c: char| c.is_ascii_alphabetic()) {
        name
    } else {
        format!("suite-{name}").trim_end_matches('-').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_looked_up_by_whatever_name_they_have() {
        assert_eq!(expression("question"), "question");
        assert_eq!(expression("the question"), "row['the question']");
        assert_eq!(expression("it's"), "row['it\\'s']");
        assert_eq!(expression("2nd"), "row['2nd']");
    }

    #[test]
    fn texts_stay_texts() {
        for (text, written) in
            [("data/x.csv", "data/x.csv"), ("../x", "../x"), ("true", "\"true\""), ("1.5", "\"1.5\"")]
        {
            assert_eq!(quoted(text), written);
        }
        assert_eq!(quoted("a${b}"), "\"a$${b}\"");
        assert_eq!(quoted("hf://a/b"), "\"hf://a/b\"");
        assert_eq!(
            (name_of("x/my suite.yaml".as_ref()), name_of("3.yaml".as_ref())),
            ("my-suite".into(), "suite-3".into())
        );
    }
}
