//! Opens a role: a program is started, and says what it is.

use crate::Options;
use crate::command::CommandLine;
use crate::connection::{Connection, read};
use crate::identity::Identity;
use crate::process::Process;
use crate::protocol::{Head, Hello, Kind, Log, Outgoing, PROTOCOL};
use examiner_api::{ErrorCode, Host, Metadata, PluginError, Result, RoleKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A role that a program plays.
pub(crate) struct OpenProcess {
    pub(crate) connection: Connection,
    pub(crate) identity: Identity,
    /// What it says of itself; null where it says nothing.
    info: Value,
}

/// Starts the program of a role, and hears what it is.
///
/// # Errors
/// The program cannot be started or does not answer; it speaks another version of the protocol, does not play the role, or refuses the
/// options.
pub(crate) fn open(kind: RoleKind, options: &Options, host: &Host) -> Result<OpenProcess> {
    let limits = options.limits()?;
    check_variables(&options.pass_env)?;
    let command = CommandLine::find(options, host)?;
    let identity = Identity::of(&command, options)?;
    let process = Process::start(&command, limits, kind, host)?;
    let greeting: Outgoing<'_, ()> = Outgoing::Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION"),
        role: kind,
        options: &options.options,
        files: &command.files,
    };
    // One that has ended already says so below.
    let _ = process.program().input.send(&greeting);
    let hello = process.program().while_called(|| hear(&process)).map_err(|error| explain(error, &command))?;
    let label = process.label();
    if hello.protocol != PROTOCOL {
        let found = hello.protocol;
        return Err(PluginError::new(
            ErrorCode::Protocol,
            format!("{label} speaks version {found} of the protocol, expected version {PROTOCOL}"),
        )
        .with_help(
            "use a version of the Python package, or of the program, that was made for this version of Examiner",
        ));
    }
    if let Some(schema) = &hello.options {
        check_options(label, schema, &options.options)?;
    }
    if let Some(error) = hello.error {
        return Err(error);
    }
    if !hello.roles.contains(&kind) {
        let played: Vec<String> = hello.roles.iter().map(|role| format!("`{role}`")).collect();
        let found = if played.is_empty() { "no role".to_owned() } else { played.join(", ") };
        return Err(PluginError::bad_options(format!("{label} plays {found}, expected the role `{kind}`")));
    }
    Ok(OpenProcess { identity, info: hello.info.unwrap_or_default(), connection: Connection::new(process) })
}

impl OpenProcess {
    /// What the program says of its role.
    ///
    /// # Errors
    /// It is something else than such a description.
    pub(crate) fn info<T: DeserializeOwned + Default>(&self) -> Result<T> {
        if self.info.is_null() {
            return Ok(T::default());
        }
        T::deserialize(&self.info).map_err(|error| {
            let message = format!("the `info` of {} does not fit", self.connection.process().label());
            PluginError::new(ErrorCode::Protocol, message).with_cause(&error)
        })
    }
}

/// Waits for the answer to the first line.
fn hear(process: &Process) -> Result<Hello> {
    let expected = "the answer to `hello`";
    loop {
        let line = process.next_line()?;
        let head: Head = read(process, &line, expected)?;
        match head.kind {
            Kind::Hello => return read(process, &line, expected),
            Kind::Heartbeat | Kind::Progress => {}
            Kind::Log => {
                let Log { level, message } = read(process, &line, expected)?;
                process.host().log(level, message);
            }
            Kind::Call => crate::callbacks::serve(process.host(), &process.program().input, &head, &line),
            Kind::Item | Kind::Return => return Err(process.breach("sent a result before it was asked for one")),
        }
    }
}

/// Adds to the error of a program that did not start what may be the reason.
fn explain(error: PluginError, command: &CommandLine) -> PluginError {
    match command.missing_file() {
        Some(file) if error.code == ErrorCode::Crashed => error.with_help(format!(
            "there is no file `{file}`, neither beside the suite nor in the working directory; a word of `command` that names \
             a file is found from the suite's directory"
        )),
        _ => error,
    }
}

fn check_variables(names: &[String]) -> Result<()> {
    match names.iter().find(|name| std::env::var_os(name).is_none()) {
        Some(name) => Err(PluginError::bad_options(format!("`pass_env`: the variable `{name}` is not set"))
            .with_help("set it, or leave it out of `pass_env`")),
        None => Ok(()),
    }
}

/// Holds options against the schema that a program publishes.
fn check_options(label: &str, schema: &Value, options: &Metadata) -> Result<()> {
    let validator = jsonschema::validator_for(schema).map_err(|error| {
        PluginError::new(ErrorCode::Protocol, format!("the schema of options that {label} publishes is none: {error}"))
    })?;
    let options = Value::Object(options.clone());
    let Some(error) = validator.iter_errors(&options).next() else { return Ok(()) };
    let place = error.instance_path().to_string().replace('/', ".");
    let known = schema["properties"].as_object().map(|known| known.keys().map(|name| format!("`{name}`")));
    let known = known.map(|names| names.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty());
    let error = PluginError::bad_options(format!("`options{place}` does not fit what {label} knows: {error}"));
    Err(match known {
        Some(known) => error.with_help(format!("its options are {known}")),
        None => error,
    })
}
