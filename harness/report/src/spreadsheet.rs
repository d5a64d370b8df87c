//! CSV for spreadsheets, which take some texts for formulas and execute them.

use std::io;

/// The same table with `'` before each cell that begins like a formula: with `=`, `+`, `-` or `@` before anything but a number.
///
/// # Errors
/// The text is no CSV.
pub fn guarded(csv: &str) -> io::Result<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv.as_bytes());
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for record in reader.records() {
        let cells = record?;
        writer.write_record(cells.iter().map(guard))?;
    }
    let bytes = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn guard(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    if is_formula { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn formulas_become_texts_and_numbers_stay() {
        let csv = "subset,value\n=HYPERLINK(1),-0.5\n@x,+1e-3\n\"-a,b\",1=2\n+cmd|' /C calc'!A0,-\n";
        let expected = "subset,value\n'=HYPERLINK(1),-0.5\n'@x,+1e-3\n\"'-a,b\",1=2\n'+cmd|' /C calc'!A0,'-\n";
        assert_eq!(guarded(csv).unwrap(), expected);
    }
}
