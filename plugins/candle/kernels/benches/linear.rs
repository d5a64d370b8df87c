//! The linear kernel against candle's matrix product, at the shapes of a small GPT-2's feed-forward block and head, with weights of
//! fewer bits against itself with 32, and with products of `bf16`. `EXAMINER_ISA` names the instruction set.

use candle_core::{Device, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use examiner_kernels::{BlockFormat, BlockInputs, Blocks, Finish, Isa, Linear, Order, Products, Unit, WeightType};
use rayon::prelude::*;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rows, inputs, outputs.
const SHAPES: [(usize, usize, usize); 6] =
    [(2048, 768, 3072), (2048, 3072, 768), (64, 768, 50257), (16, 768, 3072), (2, 768, 3072), (1, 768, 3072)];

/// Formats of blocks that are measured, one for each way in which numbers are unpacked.
const QUANTIZED: [BlockFormat; 7] = [
    BlockFormat::Q4_0,
    BlockFormat::Q5_0,
    BlockFormat::Q8_0,
    BlockFormat::Q2K,
    BlockFormat::Q4K,
    BlockFormat::Q6K,
    BlockFormat::Iq4Nl,
];

fn noise(length: usize) -> Vec<f32> {
    (0..length).map(|i| ((i * 7919) % 2003) as f32 / 1001.0 - 1.0).collect()
}

/// # Panics
/// If the machine has no instruction set of that name: figures of another one would be taken for its own.
fn isa() -> Isa {
    match std::env::var("EXAMINER_ISA") {
        Ok(name) => Isa::named(&name).unwrap_or_else(|| panic!("`EXAMINER_ISA={name}` names none that is here")),
        Err(_) => Isa::best(),
    }
}

/// The shortest of a few runs.
fn shortest(mut run: impl FnMut()) -> Duration {
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..7).map(|_| time(&mut run)).min().unwrap_or_default()
}

fn linear(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("linear");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for (rows, inputs, outputs) in SHAPES {
        let (x, w) = (noise(rows * inputs), noise(inputs * outputs));
        let layer = Linear::pack(WeightType::F32, Products::F32, &w, Order::InputsFirst, inputs, outputs, None);
        let mut y = vec![0.0f32; rows * outputs];
        let tensor = |values: Vec<f32>, shape: (usize, usize)| Tensor::from_vec(values, shape, &Device::Cpu);
        let (Ok(a), Ok(b)) = (tensor(x.clone(), (rows, inputs)), tensor(w, (inputs, outputs))) else { continue };

        let name = format!("{rows}x{inputs}x{outputs}");
        let flops = 2.0 * (rows * inputs * outputs) as f64;
        let ours = shortest(|| layer.forward(isa(), black_box(&x), Finish::Nothing, &mut y)).as_secs_f64();
        let candle = shortest(|| drop(black_box(a.matmul(&b)))).as_secs_f64();
        for products in Unit::available().into_iter().map(Products::Bf16) {
            let w = noise(inputs * outputs);
            let layer = Linear::pack(WeightType::F32, products, &w, Order::InputsFirst, inputs, outputs, None);
            let seconds = shortest(|| layer.forward(isa(), black_box(&x), Finish::Nothing, &mut y)).as_secs_f64();
            println!(
                "{name}: {products:?} {:.0} GFLOP/s, ratio to 32 bits {:.2}",
                flops / seconds * 1e-9,
                ours / seconds
            );
        }
        println!(
            "{name}: ours {:.0} GFLOP/s, candle {:.0} GFLOP/s, ratio {:.2}",
            flops / ours * 1e-9,
            flops / candle * 1e-9,
            candle / ours
        );

        group.throughput(Throughput::Elements(flops as u64));
        group.bench_function(BenchmarkId::new("ours", &name), |bencher| {
            bencher.iter(|| layer.forward(isa(), black_box(&x), Finish::Nothing, &mut y));
        });
        group.bench_function(BenchmarkId::new("candle", &name), |bencher| bencher.iter(|| a.matmul(&b)));
    }
    group.finish();
}

/// Few rows wait for the weights of the head, which no cache holds, many for the multipliers.
fn number_types(_: &mut Criterion) {
    for (inputs, outputs, counts) in [(768, 50257, [1, 2, 6, 16, 64].as_slice()), (768, 3072, &[1, 2, 6, 16, 64, 2048])]
    {
        let w = noise(inputs * outputs);
        let mut layers: Vec<(String, Linear)> = [WeightType::F32, WeightType::F16, WeightType::Bf16, WeightType::Int8]
            .into_iter()
            .map(|numbers| {
                let layer = Linear::pack(numbers, Products::F32, &w, Order::OutputsFirst, inputs, outputs, None);
                (format!("{numbers:?}"), layer)
            })
            .collect();
        let kinds = [BlockInputs::F32, BlockInputs::Int8];
        let quantized = QUANTIZED.into_iter().flat_map(|format| kinds.map(|rounded| (format, rounded)));
        layers.extend(quantized.map(|(format, rounded)| {
            let (numbers, size) = format.block();
            // Any bits are some numbers; these have finite scales.
            let bytes: Vec<u8> = (0..inputs * outputs / numbers * size).map(|i| (i * 31 % 61) as u8).collect();
            let blocks = Blocks { format, bytes: &bytes, outputs };
            let name = match rounded {
                BlockInputs::F32 => format!("{format:?}"),
                BlockInputs::Int8 => format!("{format:?} by whole numbers"),
            };
            (name, Linear::pack_blocks(&[blocks], inputs, rounded, None))
        }));
        for &rows in counts {
            let (x, mut y) = (noise(rows * inputs), vec![0.0f32; rows * outputs]);
            let mut of_f32 = f64::NAN;
            for (numbers, layer) in &layers {
                let run = || layer.forward(isa(), black_box(&x), Finish::Nothing, &mut y);
                let seconds = shortest(run).as_secs_f64();
                if numbers == "F32" {
                    of_f32 = seconds;
                }
                println!(
                    "{rows}x{inputs}x{outputs} {numbers}: {:.3} ms, {:.0} GFLOP/s, ratio to F32 {:.2}",
                    seconds * 1e3,
                    2.0 * (rows * inputs * outputs) as f64 / seconds * 1e-9,
                    of_f32 / seconds
                );
            }
        }
    }
}

/// How fast main memory is read: what answers wait for, one or many.
fn memory(_: &mut Criterion) {
    let values = vec![1.0f32; 1 << 28];
    for threads in [1, rayon::current_num_threads()] {
        let part = values.len() / threads;
        // Many sums, so that none waits for another.
        let sum = |part: &[f32]| {
            let mut sums = [0.0f32; 64];
            for chunk in part.chunks_exact(64) {
                sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
            }
            black_box(sums);
        };
        let seconds = shortest(|| values.par_chunks(part).for_each(sum)).as_secs_f64();
        println!("{threads} threads read {:.1} GB/s", (4 * part * threads) as f64 / seconds * 1e-9);
    }
}

criterion_group!(benches, memory, number_types, linear);
criterion_main!(benches);
