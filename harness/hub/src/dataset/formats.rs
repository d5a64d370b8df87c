//! Which format the files of a dataset have, by their names.

/// Formats that rows are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv,
    Parquet,
    Text,
}

impl Format {
    /// The format by its name in the library.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            "parquet" => Some(Format::Parquet),
            "text" => Some(Format::Text),
            _ => None,
        }
    }

    fn extensions(self) -> &'static [&'static str] {
        match self {
            Format::Json => &["json", "jsonl", "ndjson"],
            Format::Csv => &["csv", "tsv"],
            Format::Parquet => &["parquet", "geoparquet", "gpq"],
            Format::Text => &["txt"],
        }
    }

    /// Whether a file is of this format: its extension, or one before that of a compression.
    pub(super) fn holds(self, file: &str) -> bool {
        suffixes(file).any(|suffix| self.extensions().contains(&suffix) || suffix == "zip")
    }
}

/// Extensions that the library knows, beside those of the four formats, by what it reads them as.
const OTHERS: [(&str, &str); 12] = [
    ("Arrow files", "arrow"),
    ("CoNLL files", "conll conllu"),
    ("tar archives", "tar"),
    ("XML", "xml"),
    ("HDF5", "hdf5 h5"),
    ("Lance, TsFile or Vortex", "lance tsfile vortex idx manifest txn"),
    ("logs or tasks", "eval toml md"),
    ("sequences of biology", "fa fasta fna ffn faa frn afa gb gbk genbank fq fastq pdb ent cif mmcif"),
    (
        "pictures",
        "blp bmp dib bufr cur pcx dcx dds ps eps fit fits fli flc ftc ftu gbr gif grib png apng jp2 j2k jpc jpf jpx j2c icns ico im iim \
         tif tiff jfif jpe jpg jpeg msp pcd pxr pbm pgm ppm pnm psd bw rgb rgba sgi ras tga icb vda vst webp wmf emf xbm xpm nii",
    ),
    (
        "sound",
        "mpg aiff au avr caf flac htk svx mat4 mat5 mpc2k ogg paf pvf raw rf64 sd2 sds ircam voc w64 wav nist wavex wve xi mp3 opus 3gp \
         3g2 asf flv m4v webm f4v wmv wma ogm mxf nut",
    ),
    ("video", "mpeg avi mp4 mov mkv"),
    ("meshes or documents", "glb gltf ply stl pdf"),
];

/// Names of files that describe others, which count least.
const DESCRIBING: [&str; 6] =
    ["instruction.md", "latest_version_hint.json", "metadata.csv", "metadata.jsonl", "metadata.parquet", "task.toml"];

/// All that stands behind a dot in a file's name.
fn suffixes(file: &str) -> impl Iterator<Item = &str> {
    file.rsplit('/').next().unwrap_or_default().split('.').skip(1)
}

fn of_suffix(suffix: &str) -> Option<Result<Format, &'static str>> {
    let ours = [Format::Json, Format::Csv, Format::Parquet, Format::Text];
    if let Some(format) = ours.into_iter().find(|format| format.extensions().contains(&suffix)) {
        return Some(Ok(format));
    }
    let other = OTHERS.iter().find(|(_, extensions)| extensions.split(' ').any(|extension| extension == suffix));
    other.map(|(what, _)| Err(*what))
}

/// Whether the library takes a file for data at all.
pub(super) fn is_data(file: &str) -> bool {
    suffixes(file).any(|suffix| {
        // Names of pictures, sound and the like are known in capitals, too.
        let is_other = |suffix: &str| matches!(of_suffix(suffix), Some(Err(_)));
        suffix == "zip"
            || of_suffix(suffix).is_some()
            || (suffix == suffix.to_uppercase() && is_other(&suffix.to_lowercase()))
    })
}

/// The format of a split's files, and whether their values are delimited by tabs: that of the extension that most of them have.
pub(super) fn infer(files: &[String]) -> Result<(Format, bool), String> {
    let mut counted: Vec<((bool, String), usize)> = Vec::new();
    for file in files {
        let name = file.rsplit('/').next().unwrap_or_default();
        let is_data = !DESCRIBING.contains(&name);
        for suffix in suffixes(file) {
            let key = (is_data, suffix.to_lowercase());
            match counted.iter_mut().find(|(known, _)| *known == key) {
                Some((_, count)) => *count += 1,
                None => counted.push((key, 1)),
            }
        }
    }
    let favourite = |suffix: &str| {
        let order = ["parquet", "lance", "vortex", "arrow", "jsonl", "json", "csv"];
        order.len() - order.iter().position(|name| *name == suffix).unwrap_or(order.len())
    };
    counted.sort_by_key(|((is_data, suffix), count)| (*is_data, *count, favourite(suffix), format!(".{suffix}")));
    for ((_, suffix), _) in counted.iter().rev() {
        match of_suffix(suffix) {
            Some(Ok(format)) => return Ok((format, suffix == "tsv")),
            Some(Err(what)) => return Err(format!("its files are {what} (`.{suffix}`), which are not read as rows")),
            None if suffix == "zip" => {
                return Err("its files are ZIP archives, which are not read as rows".to_owned());
            }
            None => {}
        }
    }
    Err("it holds no files of JSON, CSV, Parquet or text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[&str]) -> Result<(Format, bool), String> {
        infer(&files.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn most_files_decide() {
        assert_eq!(of(&["a.csv", "b.json", "c.json"]), Ok((Format::Json, false)));
        assert_eq!(of(&["a.csv", "b.parquet"]), Ok((Format::Parquet, false)));
        assert_eq!(of(&["x/train.00000-of-01024.json.gz"]), Ok((Format::Json, false)));
        assert_eq!(of(&["a.tsv", "b.tsv"]), Ok((Format::Csv, true)));
        assert_eq!(of(&["metadata.jsonl", "a.txt"]), Ok((Format::Text, false)));
        assert!(of(&["a.png", "b.png", "metadata.csv"]).unwrap_err().contains("pictures"));
        assert!(of(&["a.zip"]).unwrap_err().contains("ZIP"));
        assert!(of(&["LICENSE"]).is_err());
    }

    #[test]
    fn what_is_no_data_is_left_out() {
        assert!(is_data("a/b.csv") && is_data("x.json.gz") && is_data("p.PNG") && is_data("x.zip"));
        assert!(!is_data("LICENSE") && !is_data("x.CSV") && !is_data("a.py") && !is_data("csv"));
    }
}
