//! `examiner init`: a first suite, from a few flags or, on a terminal, from a few questions.

mod columns;
mod draft;

use super::InitArguments;
use super::terminal::print;
use anyhow::{Context, Result, anyhow, bail};
use columns::Columns;
use draft::{Choices, Data, Draft, Model};
use examiner_hub::Hub;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

pub(super) fn init(arguments: InitArguments) -> Result<ExitCode> {
    let suite = arguments.suite.clone();
    if suite.exists() && !arguments.force {
        bail!("`{}` is there already; name another file, or replace it with `--force`", suite.display());
    }
    let is_conversation = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let mut ask = |question: &str, proposal: &str| match is_conversation {
        true => asked(question, proposal),
        false => Ok(None),
    };
    let draft = answers(arguments, &mut ask)?;
    let text = draft.text(&suite);
    if let Some(parent) = suite.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make the directory `{}`", parent.display()))?;
    }
    std::fs::write(&suite, text).with_context(|| format!("cannot write `{}`", suite.display()))?;
    let suite = suite.display();
    print(&format!(
        "wrote `{suite}`; look it over, then:\n  examiner check {suite}\n  examiner run {suite} --limit 10\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Asks on the terminal. None where there is nobody to answer, or the answer is empty and nothing was proposed.
type Ask<'a> = &'a mut dyn FnMut(&str, &str) -> Result<Option<String>>;

fn asked(question: &str, proposal: &str) -> Result<Option<String>> {
    let mut stderr = std::io::stderr().lock();
    let proposed = if proposal.is_empty() { String::new() } else { format!(" [{proposal}]") };
    write!(stderr, "{question}{proposed}: ").and_then(|()| stderr.flush()).context("cannot ask")?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line).context("cannot read the answer")? == 0 {
        bail!("the input has ended; nothing was written");
    }
    let answer = if line.trim().is_empty() { proposal } else { line.trim() };
    Ok(Some(answer.to_owned()).filter(|answer| !answer.is_empty()))
}

/// What the suite is to say: by the flags, by the answers, and by the first rows of the data.
fn answers(arguments: InitArguments, ask: Ask<'_>) -> Result<Draft> {
    let InitArguments { suite, model, base_url, data, prompt, choices, gold, force: _ } = arguments;
    let model = match model {
        Some(model) => Some(model),
        None => ask("The model: a directory, a `.gguf` file or `hf://ORG/NAME` (`echo` to try the program)", "")?,
    };
    let missing = |flag: &str, what: &str| {
        anyhow!("{what}; say so with `{flag}`, or run `examiner init` on a terminal, where it asks")
    };
    let model = model.ok_or_else(|| missing("--model MODEL", "a suite needs a model"))?;
    let data = match data {
        Some(data) => Some(data),
        None => ask("The questions: a CSV, TSV, JSON or Parquet file", "")?.map(PathBuf::from),
    };
    let data = data.ok_or_else(|| missing("--data FILE", "a suite needs questions"))?;
    let columns = Columns::read(&data)?;
    let mut chosen = |flag: &str, what: &str, given: Option<String>, guess: Option<String>| -> Result<Option<String>> {
        let column = match given {
            Some(column) => Some(column),
            None => match ask(what, guess.as_deref().unwrap_or_default())? {
                Some(answer) => Some(answer),
                None => guess,
            },
        };
        column.map(|column| columns.known(flag, &column)).transpose()
    };
    let prompt = chosen("--prompt", "The column of the question", prompt, columns.question())?
        .ok_or_else(|| missing("--prompt COLUMN", &format!("which column is the question? There are {columns}")))?;
    let gold = chosen("--gold", "The column of the right answer", gold, columns.gold())?
        .ok_or_else(|| missing("--gold COLUMN", &format!("which column is the right answer? There are {columns}")))?;
    let given = match choices {
        Some(choices) => Some(choices),
        None => {
            let guess = columns.choices().join(",");
            let none = "The columns of the choices, with commas, or the one with a list; `none` for free answers";
            let proposal = if guess.is_empty() { "none" } else { &guess };
            ask(none, proposal)?.or_else(|| (!guess.is_empty()).then(|| guess.clone()))
        }
    };
    let named: Vec<String> = given
        .iter()
        .flat_map(|given| given.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != "none")
        .map(|name| columns.known("--choices", name))
        .collect::<Result<_>>()?;
    let choices = match named.as_slice() {
        [] => None,
        [one] if columns.holds_lists(one) => Some(Choices::List(one.clone())),
        [one] => bail!("the column `{one}` holds no list of choices; name the column of each: `--choices A,B,C,D`"),
        _ => Some(Choices::Columns(named)),
    };
    let model = match (model.as_str(), base_url) {
        ("echo", None) => Model::Echo,
        (_, Some(base_url)) => Model::Endpoint { model, base_url },
        (_, None) => Model::Checkpoint(from_the_suite(&suite, &model)?),
    };
    let path = from_the_suite(&suite, &data.to_string_lossy())?;
    Ok(Draft { model, data: Data { path, prompt, choices, gold } })
}

/// A path of the command line as the suite has to write it, so that it begins at the suite's file.
fn from_the_suite(suite: &Path, typed: &str) -> Result<String> {
    let path = Path::new(typed);
    let folder = suite.parent().unwrap_or(Path::new(""));
    if Hub::is_address(typed) || path.is_absolute() || folder.as_os_str().is_empty() {
        return Ok(typed.to_owned());
    }
    let here =
        std::env::current_dir().and_then(|here| here.canonicalize()).context("the working directory is not known")?;
    // Out of a directory without links, `..` leads to the directory that its name says.
    let steps_back = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    let from = real(&here.join(folder));
    let to = if steps_back(path) { real(&here.join(path)) } else { here.join(path) };
    let shared = from.components().zip(to.components()).take_while(|(from, to)| from == to).count();
    let back = std::iter::repeat_n(Component::ParentDir, from.components().count() - shared);
    let forth = to.components().skip(shared).filter(|part| *part != Component::CurDir);
    Ok(back.chain(forth).collect::<PathBuf>().display().to_string())
}

/// The path without links and steps back, as far as it exists.
fn real(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), _, _) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(suite: &Path, data: &Path) -> InitArguments {
        InitArguments {
            suite: suite.to_owned(),
            model: Some("echo".to_owned()),
            base_url: None,
            data: Some(data.to_owned()),
            prompt: None,
            choices: None,
            gold: None,
            force: false,
        }
    }

    #[test]
    fn what_flags_leave_open_is_taken_from_the_columns_or_asked() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("rows.csv");
        std::fs::write(&data, "id,Question,A,B,C,answer\n1,2+2?,3,4,5,B\n").unwrap();
        let suite = folder.path().join("suite.yaml");
        let draft = answers(arguments(&suite, &data), &mut |_, _| Ok(None)).unwrap();
        assert_eq!((&*draft.data.prompt, &*draft.data.gold), ("Question", "answer"));
        let columns = ["A", "B", "C"].map(str::to_owned).to_vec();
        assert_eq!(draft.data.choices, Some(Choices::Columns(columns)));
        let mut asked = Vec::new();
        let mut ask = |question: &str, proposal: &str| {
            asked.push((question.split(':').next().unwrap().to_owned(), proposal.to_owned()));
            Ok(Some(if question.contains("choices") { "none" } else { proposal }.to_owned()))
        };
        let draft = answers(arguments(&suite, &data), &mut ask).unwrap();
        assert_eq!(draft.data.choices, None);
        assert_eq!(asked[0], ("The column of the question".to_owned(), "Question".to_owned()));
    }

    #[test]
    fn a_path_is_written_as_it_begins_at_the_suite() {
        let written = |suite: &str, typed: &str| from_the_suite(suite.as_ref(), typed).unwrap();
        assert_eq!(written("s.yaml", "data/x.csv"), "data/x.csv");
        assert_eq!(written("suites/s.yaml", "data/x.csv"), "../data/x.csv");
        assert_eq!(written("suites/deep/s.yaml", "./suites/x.csv"), "../x.csv");
        assert_eq!(written("suites/s.yaml", "/data/x.csv"), "/data/x.csv");
        assert_eq!(written("suites/s.yaml", "hf://a/b"), "hf://a/b");
    }

    #[test]
    fn what_cannot_be_told_is_said_with_the_flag_that_tells_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("rows.csv");
        std::fs::write(&data, "x,y\n1,2\n").unwrap();
        let suite = folder.path().join("suite.yaml");
        let said = |arguments| answers(arguments, &mut |_, _| Ok(None)).unwrap_err().to_string();
        let open = said(arguments(&suite, &data));
        assert!(open.contains("There are `x`, `y`") && open.contains("--prompt COLUMN"), "{open}");
        let prompt = Some("z".to_owned());
        let unknown = said(InitArguments { prompt, ..arguments(&suite, &data) });
        assert!(unknown.contains("`--prompt z`") && unknown.contains("`x`, `y`"), "{unknown}");
        let none = said(InitArguments { model: None, ..arguments(&suite, &data) });
        assert!(none.contains("--model MODEL"), "{none}");
    }
}
