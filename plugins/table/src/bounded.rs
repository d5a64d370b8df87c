//! Templates within bounds: what a row is filled into may ask for any amount of memory and time.

use crate::options::Options;
use crate::question::{GoldReading, Questions};
use crate::record::Record;
use crate::source::Source;
use crate::template::Engine;
use examiner_api::{Flow, PluginError, Result};
use examiner_bounds::{Bounded, Limits};
use std::sync::Arc;
use std::time::Duration;

/// What stands for a template that is compiled, where rows have their index.
const COMPILING: u64 = u64::MAX;
/// What stands for reading the file.
const READING: u64 = u64::MAX - 1;

/// What reading a row may take: a small file can hold pages that are large once they are decompressed.
fn reading_limits(file: &Source) -> Limits {
    let length = file.path.metadata().map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX));
    Limits { memory_bytes: length.saturating_mul(16).saturating_add(128 << 20), time: Duration::MAX }
}

/// Makes something of each row of a file that is chosen, in order, until `take` stops it.
pub(crate) fn each<T: Send + 'static>(
    options: &Arc<Options>,
    source: &Source,
    reading: GoldReading,
    make: impl Fn(&Questions<'_>, &Record) -> Result<T> + Send + 'static,
    mut take: impl FnMut(&Record, T) -> Result<Flow>,
) -> Result<()> {
    let (of_thread, file) = (options.clone(), source.clone());
    let mut made = Bounded::spawn(options.text_limits().work(), move |bounds, send| {
        let all = || -> Result<()> {
            let engine = Engine::new(of_thread.text_limits())?;
            let compile = || {
                let questions = Questions::compile(&engine, &of_thread, reading)?;
                Ok::<_, PluginError>((questions, file.chosen(&engine)?))
            };
            let (questions, chosen) = bounds.within(COMPILING, compile)?;
            let to_read = reading_limits(&file);
            let mut records = bounds.within_limits(to_read, READING, || file.records(&of_thread.fields))?;
            while let Some(record) = bounds.within_limits(to_read, READING, || records.next()) {
                let record = record?;
                let make = || chosen.holds(&record)?.then(|| make(&questions, &record)).transpose();
                let made: Result<Option<T>> = bounds.within(record.row.index, make);
                if let Some(made) = made?
                    && !send(Ok((record, made)))
                {
                    break;
                }
            }
            Ok(())
        };
        if let Err(error) = all() {
            send(Err(error));
        }
    });
    let too_much = |what: String, number: u64| {
        let path = source.path.display();
        let place = match number {
            READING => {
                return PluginError::bad_input(format!("reading a row of `{path}` takes {what}"))
                    .with_help("the file may be damaged, or meant to do harm; write it with smaller pages");
            }
            COMPILING => String::new(),
            index => format!(" for the row of index {index} of `{path}`"),
        };
        PluginError::bad_input(format!("a template takes {what}{place}"))
            .with_help("a filter or a loop asks for too much; `template_max_mib` and `template_max_s` allow more")
    };
    while let Some(row) = made.next().map_err(|exceeded| too_much(exceeded.what.to_string(), exceeded.number))? {
        let (record, made) = row?;
        if take(&record, made)? == Flow::Stop {
            break;
        }
    }
    Ok(())
}
