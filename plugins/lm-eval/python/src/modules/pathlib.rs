//! `pathlib`, as far as modules read files that lie beside them.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Error, Outcome};
use crate::natives::Arguments;
use crate::run::Session;
use crate::value::{Object, Str, Value};

pub(super) const ATTRIBUTES: &[&str] = &["resolve", "parent", "open", "read", "absolute"];

const METHODS: &[&str] = &["resolve", "absolute", "open"];

pub(super) fn item(name: &str) -> Option<Value> {
    (name == "Path").then_some(Value::Native("pathlib.Path", make))
}

fn path(path: PathBuf) -> Value {
    Value::Object(Rc::new(PosixPath(path)))
}

fn make(_session: &mut Session, args: Arguments) -> Outcome<Value> {
    let [text] = args.exactly("Path")?;
    match &text {
        Value::Str(text) => Ok(path(PathBuf::from(&**text))),
        other => Err(Error::unsupported(format!("`Path` of a `{}`", other.type_name()))),
    }
}

/// `path / name`.
pub(crate) fn join(left: &Value, right: &Value) -> Outcome<Value> {
    if let (Value::Object(object), Value::Str(name)) = (left, right)
        && let Some(PosixPath(base)) = object.as_any().downcast_ref::<PosixPath>()
    {
        return Ok(path(base.join(&**name)));
    }
    Err(Error::unsupported("`/` between a path and this value"))
}

/// A path.
#[derive(Debug)]
struct PosixPath(PathBuf);

impl Object for PosixPath {
    fn type_name(&self) -> &'static str {
        "PosixPath"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        (name == "parent").then(|| path(self.0.parent().unwrap_or(Path::new(".")).to_owned()))
    }
    fn methods(&self) -> &'static [&'static str] {
        METHODS
    }
    fn call_method(self: Rc<Self>, session: &mut Session, name: &str, args: Arguments) -> Result<Value, Error> {
        match name {
            "resolve" | "absolute" => {
                args.exactly::<0>(name)?;
                let resolved = if name == "resolve" { self.0.canonicalize() } else { std::path::absolute(&self.0) };
                resolved.map(path).map_err(|_| Error::unsupported("resolving a path that does not exist"))
            }
            "open" => {
                let [mode, encoding] = args.bind(name, ["mode", "encoding"], 0)?;
                let utf8 =
                    encoding.as_ref().and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case("utf-8"));
                if !matches!(mode.as_ref().map(Value::as_str), None | Some(Some("r" | "rt"))) || !utf8 {
                    return Err(Error::unsupported("opening a file other than to read UTF-8"));
                }
                open(session, &self.0)
            }
            _ => Err(Error::unsupported(format!("`{name}` of a path"))),
        }
    }
}

/// Reads a file of the tree of tasks while a module is imported, and keeps what was read.
fn open(session: &mut Session, file: &Path) -> Outcome<Value> {
    let inside = file.is_absolute() && file.ancestors().any(|directory| directory.ends_with("lm_eval/tasks"));
    if !inside {
        return Err(Error::unsupported(format!("reading `{}`, which is no file of the tasks", file.display())));
    }
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::unsupported(format!("reading `{}`: {error}; that", file.display())))?;
    let text = Str::from(text.replace("\r\n", "\n").replace('\r', "\n"));
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    session.files.push((name, text.clone()));
    Ok(Value::Object(Rc::new(TextFile(text))))
}

/// A file that has been read.
#[derive(Debug)]
struct TextFile(Str);

/// The text of a file.
pub(super) fn text_of(file: &Value) -> Option<Str> {
    match file {
        Value::Object(object) => object.as_any().downcast_ref::<TextFile>().map(|file| file.0.clone()),
        _ => None,
    }
}

impl Object for TextFile {
    fn type_name(&self) -> &'static str {
        "TextIOWrapper"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}
