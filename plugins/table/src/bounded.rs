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

/// Makes something of each row of a file that is chosen, in order, until `take` stops it.
pub(crate) fn each<T: Send + 'static>(
    options: &Arc<Options>,
    source: &Source,
    reading: GoldReading,
    make: impl Fn(&Questions<'_>, &Record) -> Result<T> + Send + 'static,
    mut take: impl FnMut(&Record, T) -> Result<Flow>,
) -> Result<()> {
    let (of_thread, file) = (options.clone(), source.clone());
    let limits = Limits::for_text(options.template_max_mib, Duration::from_secs(options.template_max_s));
    let mut made = Bounded::spawn(limits, move |bounds, send| {
        let all = || -> Result<()> {
            let engine = Engine::new(of_thread.template_max_mib)?;
            let compile = || {
                let questions = Questions::compile(&engine, &of_thread, reading)?;
                Ok::<_, PluginError>((questions, file.chosen(&engine)?))
            };
            let (questions, chosen) = bounds.within(COMPILING, compile)?;
            for record in file.records(&of_thread.fields)? {
                let record = record?;
                let make = || Ok(chosen.holds(&record)?.then(|| make(&questions, &record)).transpose()?);
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
        let place = match number {
            COMPILING => String::new(),
            index => format!(" for the row of index {index} of `{}`", source.path.display()),
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
