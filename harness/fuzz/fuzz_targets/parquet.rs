//! Parquet files of any bytes, with each codec: a table of them gives samples, or an error that names the row, within bounds of memory.
#![no_main]

use examiner_api::testing::FakeHost;
use examiner_api::{Dataset, Flow, Open, PluginError, Sample};
use examiner_fuzz::{file, let_caught_panics_pass, parquet, sow, watch};
use examiner_plugin_table::{Options, Table};
use libfuzzer_sys::fuzz_target;
use parquet_of_the_crate::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet_of_the_crate::file::properties::WriterProperties;
use serde_json::json;

extern crate parquet as parquet_of_the_crate;

/// What was wrong with the file, if it was.
fn error_of(data: &[u8]) -> Option<PluginError> {
    let path = file("rows.parquet");
    std::fs::write(&path, data).expect("an input");
    let options = json!({ "path": path, "prompt": "{{ text | default('none', true) }}", "gold": "number", "gold_is": "text" });
    let options: Options = serde_json::from_value(options).expect("options");
    match Table::open(options, FakeHost::new().host()) {
        Ok(mut table) => {
            let _ = table.samples(&|_: Sample| Flow::Continue);
            None
        }
        Err(error) => {
            assert!(!error.message.is_empty());
            Some(error)
        }
    }
}

fuzz_target!(
    init: {
        let codecs = [
            ("plain", Compression::UNCOMPRESSED),
            ("snappy", Compression::SNAPPY),
            ("gzip", Compression::GZIP(GzipLevel::default())),
            ("brotli", Compression::BROTLI(BrotliLevel::default())),
            ("lz4", Compression::LZ4),
            ("lz4-raw", Compression::LZ4_RAW),
            ("zstd", Compression::ZSTD(ZstdLevel::default())),
        ];
        let seeds = codecs.map(|(name, codec)| {
            (name.to_owned(), parquet(WriterProperties::builder().set_compression(codec).build()))
        });
        for (name, seed) in &seeds {
            assert_eq!(error_of(seed), None, "the seed `{name}` is good");
        }
        sow("parquet", seeds);
        let_caught_panics_pass();
    },
    |data: &[u8]| watch(|| {
        error_of(data);
    })
);
