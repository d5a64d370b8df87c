//! The number types of tensors in GGUF files, and the numbers that their bytes stand for.
//!
//! candle has those that llama.cpp's quantizer writes without a matrix of importance; the two with a table of 16 values are
//! here.

use candle_core::quantized::GgmlDType;
use candle_core::quantized::ggml_file::qtensor_from_ggml;
use candle_core::{Device, Tensor};
use half::f16;

/// The values that four bits stand for in IQ4_NL and IQ4_XS.
const TABLE: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// What tensors may be in, by what the format calls it.
pub(super) const SUPPORTED: &str =
    "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS";

/// A number type that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberType {
    /// One that candle has.
    Candle(GgmlDType),
    /// 32 numbers by a scale, each one of 16 values.
    Iq4Nl,
    /// 256 numbers by scales of two levels, each one of 16 values.
    Iq4Xs,
}

impl NumberType {
    /// The type with a number.
    ///
    /// # Errors
    /// The name of a type that is not read.
    pub(super) fn numbered(number: u32) -> Result<Self, String> {
        Ok(NumberType::Candle(match number {
            0 => GgmlDType::F32,
            1 => GgmlDType::F16,
            2 => GgmlDType::Q4_0,
            3 => GgmlDType::Q4_1,
            6 => GgmlDType::Q5_0,
            7 => GgmlDType::Q5_1,
            8 => GgmlDType::Q8_0,
            10 => GgmlDType::Q2K,
            11 => GgmlDType::Q3K,
            12 => GgmlDType::Q4K,
            13 => GgmlDType::Q5K,
            14 => GgmlDType::Q6K,
            20 => return Ok(NumberType::Iq4Nl),
            23 => return Ok(NumberType::Iq4Xs),
            30 => GgmlDType::BF16,
            other => return Err(name(other)),
        }))
    }

    /// How many numbers a block holds, and in how many bytes.
    pub(super) fn block(self) -> (usize, usize) {
        match self {
            NumberType::Candle(dtype) => (dtype.block_size(), dtype.type_size()),
            NumberType::Iq4Nl => (32, 2 + 16),
            NumberType::Iq4Xs => (256, 2 + 2 + 4 + 128),
        }
    }

    /// The numbers, in 32 bits. `bytes` are whole blocks.
    ///
    /// # Errors
    /// If they are not as many as the shape asks for.
    pub fn dequantize(self, bytes: &[u8], shape: &[usize]) -> candle_core::Result<Tensor> {
        match self {
            NumberType::Candle(dtype) => {
                qtensor_from_ggml(dtype, bytes, shape.to_vec(), &Device::Cpu)?.dequantize(&Device::Cpu)
            }
            NumberType::Iq4Nl => Tensor::from_vec(table(bytes), shape, &Device::Cpu),
            NumberType::Iq4Xs => Tensor::from_vec(table_with_scales(bytes), shape, &Device::Cpu),
        }
    }
}

/// A tensor as it is in its file.
#[derive(Debug)]
pub struct Stored {
    /// What its bytes are.
    pub number_type: NumberType,
    /// Whole blocks.
    pub bytes: Vec<u8>,
    /// The size of each axis, the slowest first.
    pub shape: Vec<usize>,
}

impl Stored {
    /// Its numbers, in 32 bits.
    ///
    /// # Errors
    /// If the bytes are not as many as the shape asks for.
    pub fn dequantize(&self) -> candle_core::Result<Tensor> {
        self.number_type.dequantize(&self.bytes, &self.shape)
    }
}

/// IQ4_NL: 32 numbers by a scale in 16 bits, the first 16 in the lower halves of bytes, the others in the upper ones.
fn table(bytes: &[u8]) -> Vec<f32> {
    let (blocks, _) = bytes.as_chunks::<18>();
    blocks.iter().flat_map(|block| nibbles(half(&block[..2]), &block[2..])).collect()
}

/// IQ4_XS: 256 numbers by a scale in 16 bits, and every 32 of them by one of six bits, of which the lower four and the upper
/// two lie apart.
fn table_with_scales(bytes: &[u8]) -> Vec<f32> {
    let (blocks, _) = bytes.as_chunks::<136>();
    let block = |block: &[u8; 136]| {
        let (scale, upper) = (half(&block[..2]), u16::from_le_bytes([block[2], block[3]]));
        let parts = block[8..].chunks_exact(16).enumerate().flat_map(move |(part, bits)| {
            let lower = (block[4 + part / 2] >> (4 * (part % 2))) & 0xf;
            let upper = (upper >> (2 * part)) & 3;
            nibbles(scale * (f32::from(u16::from(lower) | (upper << 4)) - 32.0), bits)
        });
        parts.collect::<Vec<f32>>()
    };
    blocks.iter().flat_map(block).collect()
}

/// The values of the lower halves of bytes, and then of the upper ones.
fn nibbles(scale: f32, bytes: &[u8]) -> impl Iterator<Item = f32> {
    let value = move |nibble: u8| scale * f32::from(TABLE[usize::from(nibble)]);
    let lower = bytes.iter().map(move |byte| value(byte & 0xf));
    lower.chain(bytes.iter().map(move |byte| value(byte >> 4)))
}

fn half(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// What the format calls a type that is not read.
fn name(number: u32) -> String {
    let name = match number {
        4 => "Q4_2",
        5 => "Q4_3",
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        21 => "IQ3_S",
        22 => "IQ2_S",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        31 => "Q4_0_4_4",
        32 => "Q4_0_4_8",
        33 => "Q4_0_8_8",
        34 => "TQ1_0",
        35 => "TQ2_0",
        36 => "IQ4_NL_4_4",
        37 => "IQ4_NL_4_8",
        38 => "IQ4_NL_8_8",
        39 => "MXFP4",
        40 => "NVFP4",
        other => return format!("no. {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use crate::Gguf;
    use examiner_api::testing::FakeHost;
    use examiner_test_support::ground_truth;
    use sha2::{Digest, Sha256};

    /// Every number is the one that the Python package `gguf` computes (`quantized.py`).
    #[test]
    fn numbers_of_every_type_are_those_of_the_reference() {
        let path = ground_truth::quantized();
        let gguf = Gguf::open(&path.display().to_string(), &FakeHost::new().host()).unwrap();
        let names: Vec<String> = gguf.names().into_iter().filter(|name| !name.ends_with(".expected")).collect();
        assert_eq!(names.len(), super::SUPPORTED.split(", ").count());
        for name in names {
            assert!(super::SUPPORTED.contains(&name));
            let (found, expected) = (gguf.numbers(&name).unwrap(), gguf.numbers(&format!("{name}.expected")).unwrap());
            assert_eq!(found.len(), 512);
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!(found.to_bits() == expected.to_bits(), "{name}, number {index}: {found}, expected {expected}");
            }
        }
    }

    /// The digests are those of the numbers that the Python package `gguf` computes of the same files.
    #[test]
    #[ignore = "needs files that llama.cpp wrote: `cargo xtask verify --only llama-cpp` runs it"]
    fn tensors_of_files_of_llama_cpp_have_the_digests_of_the_reference() {
        let directory =
            std::env::var_os("EXAMINER_QUANTIZED").expect("`EXAMINER_QUANTIZED` names the files' directory");
        let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        for digests in files.filter(|path| path.extension().is_some_and(|extension| extension == "sha256")) {
            let path = digests.with_extension("");
            let gguf = Gguf::open(&path.display().to_string(), &FakeHost::new().host()).unwrap();
            let expected = std::fs::read_to_string(&digests).unwrap();
            let mut names = gguf.names();
            let equal = expected.lines().filter(|line| {
                let (digest, name) = line.split_once("  ").unwrap();
                assert!(names.remove(name), "{name} of {}", path.display());
                let values = gguf.numbers(name).unwrap();
                let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
                let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
                found == digest
            });
            let (equal, all) = (equal.count(), expected.lines().count());
            assert!(names.is_empty(), "{names:?} of {}", path.display());
            let judged = if equal == all { "equal".to_owned() } else { format!("{equal} of {all} tensors") };
            println!("digests: {}: {judged}", path.display());
        }
    }
}
