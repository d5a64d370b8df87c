//! Exports a checkpoint with its weights rounded to 16 bits (bfloat16): half of the size. Put your own
//! format in its place.

use examiner_api::serde::Deserialize;
use examiner_api::serde_json::json;
use examiner_api::{
    ErrorCode, ExportJob, ExportReport, Exporter, Host, Open, Plugin, PluginError, Result,
    schemars, serde,
};
use half::bf16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::{Path, PathBuf};

/// The name by which suites ask for the role.
const NAME: &str = "my-plugin";

/// The file with the weights.
const WEIGHTS: &str = "model.safetensors";

/// What a suite may say of the export. The comments are what `examiner plugins info` shows.
#[derive(Clone, Deserialize, schemars::JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)] // A misspelt key is an error.
#[schemars(crate = "schemars")]
pub struct Options {
    /// Tensors with fewer numbers than this stay as they are.
    smallest: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { smallest: 1 }
    }
}

/// The exporter.
pub struct Halving {
    options: Options,
    host: Host,
}

impl Open for Halving {
    type Options = Options;

    fn open(options: Options, host: Host) -> Result<Self> {
        Ok(Halving { options, host })
    }
}

impl Exporter for Halving {
    // Users are told before anything is run.
    fn check(&mut self, from: &str) -> Result<()> {
        self.host
            .fetch(&format!("{}/config.json", from.trim_end_matches('/')))
            .map(drop)
    }

    fn export(&mut self, job: ExportJob) -> Result<ExportReport> {
        let from = self
            .host
            .fetch_repository(&job.from, &["*.json", WEIGHTS])?;
        let source = from.join(WEIGHTS);
        let bytes = std::fs::read(&source).map_err(|error| io("read", &source, &error))?;
        let rounded = round(&bytes, self.options.smallest).map_err(|mut error| {
            error.message = format!("`{}`: {}", source.display(), error.message);
            error
        })?;
        let out = job.out;
        std::fs::create_dir_all(&out).map_err(|error| io("make the directory", &out, &error))?;
        for path in json_files(&from)? {
            let copy = out.join(path.file_name().unwrap_or_default());
            std::fs::copy(&path, &copy).map_err(|error| io("copy", &path, &error))?;
        }
        let path = out.join(WEIGHTS);
        std::fs::write(&path, &rounded).map_err(|error| io("write", &path, &error))?;
        let details = [
            ("bytes_before", json!(bytes.len())),
            ("bytes", json!(rounded.len())),
        ];
        let details = details
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Ok(ExportReport {
            checkpoint: out,
            details,
        })
    }
}

/// The weights, rounded.
fn round(bytes: &[u8], smallest: usize) -> Result<Vec<u8>> {
    let failed = |error| PluginError::bad_input("these are no weights").with_cause(&error);
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(failed)?;
    for (name, tensor) in SafeTensors::deserialize(bytes).map_err(failed)?.tensors() {
        let numbers = tensor.shape().iter().product::<usize>();
        let (dtype, data) = match tensor.dtype() {
            Dtype::F32 if numbers >= smallest => (Dtype::BF16, to_bf16(&name, tensor.data())?),
            dtype => (dtype, tensor.data().to_vec()),
        };
        tensors.push((name, dtype, tensor.shape().to_vec(), data));
    }
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        Ok((name, TensorView::new(*dtype, shape.clone(), data)?))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    // Other programs want what the header says of the format.
    safetensors::serialize(views, header.metadata().clone()).map_err(failed)
}

/// Numbers of 32 bits, little-endian, as numbers of 16 bits.
fn to_bf16(name: &str, data: &[u8]) -> Result<Vec<u8>> {
    let mut rounded = Vec::with_capacity(data.len() / 2);
    for (index, number) in data.as_chunks::<4>().0.iter().enumerate() {
        let number = f32::from_le_bytes(*number);
        let half = bf16::from_f32(number);
        // A number that is finite no more would be a wrong model.
        if !half.is_finite() {
            let message =
                format!("number {index} of the tensor `{name}` is {number}, which has no bfloat16");
            return Err(PluginError::new(ErrorCode::Numeric, message));
        }
        rounded.extend(half.to_le_bytes());
    }
    Ok(rounded)
}

/// The configuration and the tokenizer of a checkpoint.
fn json_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).map_err(|error| io("read", directory, &error))?;
    let paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>();
    let paths = paths.map_err(|error| io("read", directory, &error))?;
    Ok(paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect())
}

fn io(doing: &str, path: &Path, error: &std::io::Error) -> PluginError {
    PluginError::io(doing, path, error)
}

/// The plugin: its name, its version and its roles.
pub fn plugin() -> Plugin {
    Plugin::new(NAME, env!("CARGO_PKG_VERSION"))
        .exporter::<Halving>(NAME, "A checkpoint with weights of 16 bits.")
}

// Makes the library one that the program can open.
examiner_api::export_plugin!(plugin);

#[cfg(test)]
mod tests {
    use super::*;
    use examiner_api::testing::FakeHost;
    use examiner_api::{OpenRole, RoleKind, serde_json::Value};

    /// The exporter as the program opens it: by its name, with the options of a suite.
    fn open(options: Value) -> Result<Box<dyn Exporter>> {
        let options = options.as_object().unwrap().clone();
        match plugin().open(RoleKind::Exporter, NAME, options, FakeHost::new().host())? {
            OpenRole::Exporter(exporter) => Ok(exporter),
            _ => panic!("the plugin opened another role"),
        }
    }

    /// Weights of one tensor.
    fn weights(numbers: &[f32]) -> Vec<u8> {
        let data: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let view = TensorView::new(Dtype::F32, vec![numbers.len()], &data).unwrap();
        safetensors::serialize([("w", view)], None).unwrap()
    }

    #[test]
    fn a_checkpoint_is_exported_as_a_whole() {
        let folder = std::env::temp_dir().join(format!("{NAME}-{}", std::process::id()));
        let from = folder.join("from");
        std::fs::create_dir_all(&from).unwrap();
        std::fs::write(from.join("config.json"), "{}").unwrap();
        std::fs::write(from.join(WEIGHTS), weights(&[1.0, 1.0 / 3.0])).unwrap();
        let from = from.display().to_string();
        let mut exporter = open(json!({})).unwrap();
        exporter.check(&from).unwrap();
        let report = exporter
            .export(ExportJob {
                from,
                out: folder.join("out"),
            })
            .unwrap();
        assert!(report.checkpoint.join("config.json").exists());
        let bytes = std::fs::read(report.checkpoint.join(WEIGHTS)).unwrap();
        let exported = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = exported.tensor("w").unwrap();
        // 1/3 is 0x3eaaaaab in 32 bits, of which the upper 16 are rounded up.
        assert_eq!(
            (tensor.dtype(), tensor.data()),
            (Dtype::BF16, &[0x80, 0x3f, 0xab, 0x3e][..])
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_exported_is_said() {
        let code = |error: PluginError| error.code;
        assert_eq!(
            code(open(json!({})).unwrap().check("nowhere").unwrap_err()),
            ErrorCode::NotFound
        );
        assert_eq!(
            code(round(b"no weights", 1).unwrap_err()),
            ErrorCode::BadInput
        );
        assert_eq!(
            code(round(&weights(&[f32::MAX]), 1).unwrap_err()),
            ErrorCode::Numeric
        );
        assert!(
            round(&weights(&[f32::MAX]), 2).is_ok(),
            "small tensors stay as they are"
        );
        assert_eq!(
            code(open(json!({ "least": 1 })).err().unwrap()),
            ErrorCode::BadOptions
        );
    }
}
