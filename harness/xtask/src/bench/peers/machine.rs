//! The machine that a table was measured on: without it, a figure says nothing.

use crate::bench::work::threads;
use crate::program::files::read;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// What decides how fast models are: the processor, and what it can do at most.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    processor: String,
    cores: usize,
    instruction_sets: Vec<String>,
    /// Variables of the environment that keep programs from some of these instructions.
    restricted_by: BTreeMap<String, String>,
    product_f32: Product,
    product_bf16: Product,
    /// Of all cores together.
    memory_read_gb_per_s: f64,
}

/// The product of two square matrices of 2048 rows by the fastest library.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Product {
    pub(super) gflop_per_s: f64,
    library: String,
}

/// Those that matrix products are written for, as Linux calls them.
const INSTRUCTION_SETS: [&str; 8] =
    ["avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"];

/// Variables by which a program can be kept to older instructions: Examiner's own, PyTorch's, oneDNN's, MKL's and OpenBLAS's.
const RESTRICTIONS: [&str; 5] =
    ["EXAMINER_ISA", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_CORETYPE"];

/// The medians of all ways to multiply in a number type; the best one.
const PRODUCTS: &str = include_str!("products.py");

/// Looks at the machine and measures it, in some seconds.
pub(super) fn machine(python: &Path) -> Result<Machine> {
    let description = read(Path::new("/proc/cpuinfo"))?;
    let field = |name: &str| {
        let line = description.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| Some(line.split_once(':')?.1.trim())).unwrap_or_default()
    };
    let flags: Vec<&str> = field("flags").split(' ').collect();
    let variable = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    Ok(Machine {
        processor: field("model name").to_owned(),
        cores: threads(),
        instruction_sets: INSTRUCTION_SETS
            .iter()
            .filter(|name| flags.contains(name))
            .map(|&name| name.into())
            .collect(),
        restricted_by: RESTRICTIONS.into_iter().filter_map(variable).collect(),
        product_f32: product(python, "float32")?,
        product_bf16: product(python, "bfloat16")?,
        memory_read_gb_per_s: memory_read_gb_per_s(),
    })
}

/// The fastest product that a library has for a number type of PyTorch's.
pub(super) fn product(python: &Path, number_type: &str) -> Result<Product> {
    let output = Command::new(python).args(["-c", PRODUCTS, number_type]).output().context("cannot start Python")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "Python ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&said).with_context(|| format!("`products.py` said `{}`", said.trim_end()))
}

/// How fast all cores together read memory that no cache holds: the best of some passes over a gibibyte.
fn memory_read_gb_per_s() -> f64 {
    const WORDS: usize = 1 << 27;
    let memory: Vec<u64> = (0..WORDS as u64).collect();
    let pass = || {
        let began = Instant::now();
        std::thread::scope(|scope| {
            for part in memory.chunks(WORDS.div_ceil(threads())) {
                scope.spawn(|| black_box(part.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word))));
            }
        });
        began.elapsed().as_secs_f64()
    };
    let fastest = (0..8).map(|_| pass()).fold(f64::INFINITY, f64::min);
    (WORDS * size_of::<u64>()) as f64 / fastest / 1e9
}

impl Machine {
    /// Whether it has instructions for products of `bfloat16` that Examiner may use.
    pub(super) fn multiplies_bf16(&self) -> bool {
        let is_permitted = self.restricted_by.get("EXAMINER_ISA").is_none_or(|isa| isa == "avx512");
        is_permitted && self.instruction_sets.iter().any(|set| set == "avx512_bf16" || set == "amx_bf16")
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, cores, memory_read_gb_per_s, .. } = self;
        write!(formatter, "{processor}, {cores} cores, {}", self.instruction_sets.join(" "))?;
        for (name, value) in &self.restricted_by {
            write!(formatter, ", {name}={value}")?;
        }
        let Product { gflop_per_s, library } = &self.product_f32;
        write!(formatter, "; 2048^3 products: f32 {gflop_per_s:.0} GFLOP/s ({library}), ")?;
        let Product { gflop_per_s, library } = &self.product_bf16;
        write!(formatter, "bf16 {gflop_per_s:.0} GFLOP/s ({library}); memory is read at {memory_read_gb_per_s:.1} GB/s")
    }
}
