//! Linear layers with weights packed once, when they are loaded.

use super::activation::activate_body;
use super::elements::Element;
use super::isa::Isa;
use super::lanes::{Lanes, for_each_isa};
use super::packed_weights::{Matrix, Order, WeightType};
use super::pairs::PairRows;
use super::product::{BLOCK, Product, multiply_packed};
use super::quantized::{BlockInputs, Blocks, ByteRows, Quantized};
use super::tasks::for_each_task;
use super::tile::{COLUMN_BLOCK, Start};
use super::weights::{Products, Weights};
use examiner_lm::checkpoint::Activation;
use std::ops::Range;

/// Columns of the smallest task: four AVX-512 registers.
const PANEL: usize = 4 * COLUMN_BLOCK;
/// A task below this many multiply-adds costs more to hand out than it saves.
const LEAST_WORK: usize = 1 << 17;

/// What is done to the output while it is in a near cache.
#[derive(Debug, Clone, Copy)]
pub enum Finish<'a> {
    /// It stays as it is.
    Nothing,
    /// Every value is replaced by its activation.
    Activate(Activation),
    /// Values of the same shape are added.
    Add(&'a [f32]),
}

/// `output = input · weight + bias`. Whatever type the weights have in memory, they are computed with in `f32`, but where it was
/// packed for other [`Products`].
///
/// With weights of 8 bits it is `(input · numbers) · scale + bias`, in this order, with one scale for each output.
pub struct Linear {
    inputs: usize,
    outputs: usize,
    weights: Weights,
    /// `[column blocks][COLUMN_BLOCK]`.
    bias: Vec<f32>,
}

impl Linear {
    /// Pieces that stay in their blocks have a multiple of so many outputs if another one follows.
    pub const BLOCK_OUTPUTS: usize = COLUMN_BLOCK;

    /// Rounds a weight matrix of `inputs × outputs` values, row-major in the given order, to a number type, and packs it for
    /// products of a kind. No bias means zeros.
    ///
    /// # Panics
    /// If `weight` or `bias` are of another size.
    pub fn pack<S: Copy + Sync + Into<f32>>(
        numbers: WeightType,
        products: Products,
        weight: &[S],
        order: Order,
        inputs: usize,
        outputs: usize,
        bias: Option<&[f32]>,
    ) -> Linear {
        assert_eq!(weight.len(), inputs * outputs, "a weight matrix of {inputs} x {outputs}");
        let weights = Weights::pack(numbers, products, &Matrix { values: weight, order, inputs, outputs });
        Linear { inputs, outputs, weights, bias: padded(bias, outputs) }
    }

    /// Packs weights in the blocks that they have in their file. Where inputs are not rounded, results are, bit by bit, those of the numbers
    /// that the blocks stand for, packed in 32 bits for products of 32 bits. The outputs of all pieces are side by side.
    ///
    /// # Panics
    /// If a piece or `bias` is of another size, if `inputs` are not whole blocks, or if the outputs of a piece that another one follows
    /// are not a multiple of [`BLOCK_OUTPUTS`](Self::BLOCK_OUTPUTS).
    pub fn pack_blocks(pieces: &[Blocks<'_>], inputs: usize, rounded: BlockInputs, bias: Option<&[f32]>) -> Linear {
        let outputs = pieces.iter().map(|piece| piece.outputs).sum();
        let weights = Weights::Quantized(Quantized::pack(pieces, inputs, rounded));
        Linear { inputs, outputs, weights, bias: padded(bias, outputs) }
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The weights of one output, `[inputs]`: of an output head tied to the embedding, a token's embedding.
    ///
    /// # Panics
    /// If there is no such output, or `into` is not as wide as the input.
    pub fn weights_of(&self, output: usize, into: &mut [f32]) {
        assert!(output < self.outputs && into.len() == self.inputs, "output {output} of {}", self.outputs);
        self.weights.column(output, into);
    }

    /// Rows in, `[rows, inputs]`; rows out, `[rows, outputs]`, finished.
    ///
    /// # Panics
    /// If the two do not fit.
    pub fn forward(&self, isa: Isa, input: &[f32], finish: Finish<'_>, output: &mut [f32]) {
        if self.outputs == 0 || output.is_empty() {
            return;
        }
        let rows = output.len() / self.outputs;
        assert_eq!(output.len(), rows * self.outputs, "whole rows of output");
        assert_eq!(input.len(), rows * self.inputs, "as many rows of input as of output");
        if let Finish::Add(values) = finish {
            assert_eq!(values.len(), output.len(), "as many values to add");
        }
        let rounded = match &self.weights {
            Weights::Pairs(pairs) => Rounded::Pairs(PairRows::of(isa, pairs.split(), input, self.inputs)),
            Weights::Quantized(weights) if weights.inputs == BlockInputs::Int8 => {
                Rounded::Bytes(weights.round(isa, input))
            }
            _ => Rounded::Nothing,
        };
        let panels = self.outputs.div_ceil(PANEL);
        let blocks = rows.div_ceil(BLOCK);
        // Many tasks, so that no thread waits long for the last one.
        let wanted = (16 * rayon::current_num_threads()).div_ceil(blocks);
        let cheap = LEAST_WORK.div_ceil(self.inputs.max(1) * PANEL * rows.min(BLOCK));
        let group = panels.div_ceil(wanted).max(cheap).clamp(1, panels);
        let groups = panels.div_ceil(group);
        let out = Output(output.as_mut_ptr());
        for_each_task(blocks * groups, |task| {
            let (block, first) = (task % blocks, task / blocks * group);
            let rows = block * BLOCK..rows.min((block + 1) * BLOCK);
            let panels = first..panels.min(first + group);
            let columns = panels.start * PANEL..self.outputs.min(panels.end * PANEL);
            let part = Part { layer: self, finish, output: out.at(), rows, columns };
            // SAFETY: tasks differ in rows or in columns, so no other one touches this part of the output, which is
            // not looked at before all have ended. Shapes were checked above.
            unsafe {
                match (&self.weights, &rounded) {
                    (Weights::Pairs(weights), Rounded::Pairs(input)) => {
                        weights.multiply(input, part.start(), part.output, self.outputs, part.rows(), part.columns());
                        finish_part(isa, &part);
                    }
                    (Weights::Quantized(weights), Rounded::Bytes(input)) => {
                        let output = (part.output, self.outputs);
                        weights.multiply_rounded(isa, input, part.start(), output, part.rows(), part.columns());
                        finish_part(isa, &part);
                    }
                    (Weights::Quantized(weights), _) => {
                        let (input, start) = (input.as_ptr(), part.start());
                        weights.multiply(isa, input, start, part.output, self.outputs, part.rows(), part.columns());
                        finish_part(isa, &part);
                    }
                    _ => linear_part(isa, input.as_ptr(), &part),
                }
            };
        });
    }

    /// What sums are multiplied by before the bias is added.
    fn scales(&self) -> Option<&[f32]> {
        match &self.weights {
            Weights::Int8(_, scales) => Some(scales),
            Weights::Pairs(pairs) => pairs.scales.as_deref(),
            Weights::Quantized(weights) => weights.scales.as_deref(),
            _ => None,
        }
    }
}

/// Inputs as products take them, where they are not those of 32 bits.
enum Rounded {
    Nothing,
    Pairs(PairRows),
    Bytes(Vec<ByteRows>),
}

/// A bias, with zeros for what fills the last column block.
fn padded(bias: Option<&[f32]>, outputs: usize) -> Vec<f32> {
    let mut padded = vec![0.0; outputs.next_multiple_of(COLUMN_BLOCK)];
    if let Some(bias) = bias {
        assert_eq!(bias.len(), outputs, "a bias of {outputs}");
        padded[..outputs].copy_from_slice(bias);
    }
    padded
}

/// The output, written by several threads at once, each at elements of its own.
struct Output(*mut f32);

// SAFETY: tasks write disjoint elements, see `Linear::forward`.
unsafe impl Sync for Output {}

impl Output {
    fn at(&self) -> *mut f32 {
        self.0
    }
}

/// What one task computes: rows and columns of a layer's output. Columns begin at a panel.
struct Part<'a> {
    layer: &'a Linear,
    finish: Finish<'a>,
    /// The whole output.
    output: *mut f32,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Part<'_> {
    fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// What sums go on from: the bias, which is padded to whole column blocks, but where they are scaled first.
    fn start(&self) -> Start {
        match self.layer.scales() {
            Some(_) => Start::Zeros,
            None => Start::Values(self.layer.bias.as_ptr(), 0),
        }
    }
}

for_each_isa! {
    /// Products of a part, and what follows.
    ///
    /// # Safety
    /// `input` and the output hold the rows; no other thread touches these rows and columns of the output.
    unsafe fn linear_part(input: *const f32, part: &Part<'_>) = body::<Lanes>
}

for_each_isa! {
    /// What follows the products of a part.
    ///
    /// # Safety
    /// That of [`linear_part`].
    unsafe fn finish_part(part: &Part<'_>) = finish_body::<Lanes>
}

#[inline(always)]
unsafe fn body<V: Lanes>(input: *const f32, part: &Part<'_>) {
    // SAFETY: the caller guarantees it.
    unsafe {
        match &part.layer.weights {
            Weights::F32(packed) => products::<V, _>(packed.as_ptr(), input, part),
            Weights::F16(packed) => products::<V, _>(packed.as_ptr(), input, part),
            Weights::Bf16(packed) => products::<V, _>(packed.as_ptr(), input, part),
            Weights::Int8(packed, _) => products::<V, _>(packed.as_ptr(), input, part),
            Weights::Pairs(_) | Weights::Quantized(_) => unreachable!("they have products of their own"),
        }
        finish_body::<V>(part);
    }
}

#[inline(always)]
unsafe fn products<V: Lanes, W: Element<Input = f32>>(packed: *const W, input: *const f32, part: &Part<'_>) {
    let Linear { inputs, outputs, .. } = *part.layer;
    let product = Product {
        depth: inputs,
        x: input,
        x_stride: inputs,
        w: packed,
        w_stride: inputs * COLUMN_BLOCK,
        start: part.start(),
        out: part.output,
        out_stride: outputs,
    };
    // SAFETY: the caller guarantees it.
    unsafe { multiply_packed::<V, W>(product, part.rows(), part.columns()) }
}

#[inline(always)]
unsafe fn finish_body<V: Lanes>(part: &Part<'_>) {
    let scales = part.layer.scales();
    for row in part.rows() {
        let first = row * part.layer.outputs + part.columns.start;
        // SAFETY: the caller guarantees it.
        let values = unsafe { std::slice::from_raw_parts_mut(part.output.add(first), part.columns.len()) };
        if let Some(scales) = scales {
            let scales = scales[part.columns()].iter().zip(&part.layer.bias[part.columns()]);
            for (value, (scale, bias)) in values.iter_mut().zip(scales) {
                *value = value.mul_add(*scale, *bias);
            }
        }
        match part.finish {
            Finish::Nothing if scales.is_none() => return,
            Finish::Nothing => (),
            Finish::Activate(activation) => activate_body(activation, values),
            Finish::Add(others) => {
                for (value, other) in values.iter_mut().zip(&others[first..first + part.columns.len()]) {
                    *value += other;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unit;
    use crate::unit::Kind;
    use examiner_test_support::checkpoint::noise;
    use half::{bf16, f16};
    use proptest::prelude::*;

    const ALL: [WeightType; 4] = [WeightType::F32, WeightType::F16, WeightType::Bf16, WeightType::Int8];

    fn run(layer: &Linear, isa: Isa, input: &[f32]) -> Vec<f32> {
        let mut output = vec![f32::NAN; input.len() / layer.inputs * layer.outputs];
        layer.forward(isa, input, Finish::Nothing, &mut output);
        output
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn column(layer: &Linear, output: usize) -> Vec<f32> {
        let mut column = vec![f32::NAN; layer.inputs];
        layer.weights_of(output, &mut column);
        column
    }

    /// One output element, computed by itself as [`Linear`] documents.
    fn chain(layer: &Linear, input: &[f32], output: usize) -> f32 {
        let sum = |start: f32, numbers: &[f32]| input.iter().zip(numbers).fold(start, |sum, (x, w)| x.mul_add(*w, sum));
        match &layer.weights {
            Weights::Int8(packed, scales) => {
                let mut numbers = vec![f32::NAN; layer.inputs];
                packed.column(output, &mut numbers);
                sum(0.0, &numbers).mul_add(scales[output], layer.bias[output])
            }
            Weights::Pairs(_) => panic!("pairs are no chain of single products"),
            _ => sum(layer.bias[output], &column(layer, output)),
        }
    }

    #[test]
    fn agrees_with_a_plain_product_in_f64() {
        let shapes = [(1, 1, 1), (3, 7, 5), (6, 64, 64), (13, 600, 130), (125, 33, 70)];
        for (numbers, (rows, inputs, outputs)) in ALL.iter().flat_map(|numbers| shapes.map(|shape| (*numbers, shape))) {
            let (weight, bias, input) = (noise(inputs * outputs, 1), noise(outputs, 2), noise(rows * inputs, 3));
            let layer = Linear::pack(numbers, Products::F32, &weight, Order::InputsFirst, inputs, outputs, Some(&bias));
            let output = run(&layer, Isa::best(), &input);
            for c in 0..outputs {
                let weights = column(&layer, c);
                for r in 0..rows {
                    let product = |k: usize| f64::from(input[r * inputs + k]) * f64::from(weights[k]);
                    let expected = f64::from(bias[c]) + (0..inputs).map(product).sum::<f64>();
                    let tolerance = 3e-7 * (1.0 + (0..inputs).map(|k| product(k).abs()).sum::<f64>());
                    let found = f64::from(output[r * outputs + c]);
                    let at = format!("{numbers:?} {rows}x{inputs}x{outputs} at {r}, {c}");
                    assert!((expected - found).abs() < tolerance, "{at}: {found}, expected {expected}");
                }
            }
        }
    }

    #[test]
    fn every_element_is_one_serial_chain_whatever_stands_beside_it() {
        let (inputs, outputs) = (1100, 150);
        let (weight, bias, input) = (noise(inputs * outputs, 4), noise(outputs, 5), noise(250 * inputs, 6));
        for numbers in ALL {
            let layer = Linear::pack(numbers, Products::F32, &weight, Order::InputsFirst, inputs, outputs, Some(&bias));
            let all = run(&layer, Isa::best(), &input);
            for isa in Isa::available() {
                for rows in [0..1, 1..3, 5..10, 17..24, 100..250] {
                    let part = run(&layer, isa, &input[rows.start * inputs..rows.end * inputs]);
                    let expected = &all[rows.start * outputs..rows.end * outputs];
                    assert!(bits(&part) == bits(expected), "{numbers:?} {isa:?} {rows:?}");
                }
            }
            for (row, output) in [(0, 149), (3, 0), (249, 77)] {
                let expected = chain(&layer, &input[row * inputs..(row + 1) * inputs], output);
                assert_eq!(all[row * outputs + output].to_bits(), expected.to_bits(), "{numbers:?} {row} {output}");
            }
        }
    }

    proptest! {
        #![proptest_config(examiner_test_support::cases(24))]

        /// Blocks of depth, panels, column blocks and what is left over of each, at any position.
        #[test]
        fn the_chain_is_the_same_for_every_shape(
            rows in 1usize..20, inputs in prop_oneof![1usize..40, 750usize..800], outputs in 1usize..150, seed in 1u64..1000
        ) {
            let (weight, bias) = (noise(inputs * outputs, seed), noise(outputs, seed + 1));
            let input = noise(rows * inputs, seed + 2);
            for numbers in ALL {
                let layer = Linear::pack(numbers, Products::F32, &weight, Order::OutputsFirst, inputs, outputs, Some(&bias));
                let elements = (0..rows).flat_map(|row| (0..outputs).map(move |output| (row, output)));
                let expected: Vec<f32> =
                    elements.map(|(row, output)| chain(&layer, &input[row * inputs..][..inputs], output)).collect();
                for isa in Isa::available() {
                    prop_assert!(bits(&run(&layer, isa, &input)) == bits(&expected), "{:?} {:?}", numbers, isa);
                }
            }
        }
    }

    #[test]
    fn sixteen_bits_compute_what_rounded_weights_do_in_32() {
        let (inputs, outputs) = (900, 83);
        let (weight, bias, input) = (noise(inputs * outputs, 12), noise(outputs, 13), noise(9 * inputs, 14));
        let rounded = |round: fn(f32) -> f32| weight.iter().map(|value| round(*value)).collect::<Vec<f32>>();
        for (numbers, rounded) in [
            (WeightType::Bf16, rounded(|value| bf16::from_f32(value).to_f32())),
            (WeightType::F16, rounded(|value| f16::from_f32(value).to_f32())),
        ] {
            let pack = |numbers, weight: &[f32]| {
                Linear::pack(numbers, Products::F32, weight, Order::InputsFirst, inputs, outputs, Some(&bias))
            };
            let wide = run(&pack(WeightType::F32, &rounded), Isa::best(), &input);
            for isa in Isa::available() {
                assert!(bits(&run(&pack(numbers, &weight), isa, &input)) == bits(&wide), "{numbers:?} {isa:?}");
            }
        }
    }

    #[test]
    fn what_follows_is_done_to_every_value_once() {
        let (inputs, outputs) = (20, 150);
        let (weight, input) = (noise(inputs * outputs, 9), noise(130 * inputs, 10));
        for numbers in ALL {
            let layer = Linear::pack(numbers, Products::F32, &weight, Order::InputsFirst, inputs, outputs, None);
            let plain = run(&layer, Isa::best(), &input);
            let others = noise(plain.len(), 11);
            for isa in Isa::available() {
                let mut finished = vec![f32::NAN; plain.len()];
                layer.forward(isa, &input, Finish::Add(&others), &mut finished);
                assert!(finished.iter().zip(plain.iter().zip(&others)).all(|(sum, (a, b))| *sum == a + b));
                layer.forward(isa, &input, Finish::Activate(Activation::Relu), &mut finished);
                assert!(finished.iter().zip(&plain).all(|(value, plain)| *value == plain.max(0.0)));
            }
        }
    }

    #[test]
    fn both_orders_and_all_sources_pack_alike_and_give_columns_back() {
        let (inputs, outputs) = (9, 70);
        let weight: Vec<bf16> = noise(inputs * outputs, 7).into_iter().map(bf16::from_f32).collect();
        let wide: Vec<f32> = weight.iter().map(|value| value.to_f32()).collect();
        let turned: Vec<f32> =
            (0..outputs).flat_map(|c| (0..inputs).map(move |k| (k, c))).map(|(k, c)| wide[k * outputs + c]).collect();
        for numbers in ALL {
            let straight = Linear::pack(numbers, Products::F32, &weight, Order::InputsFirst, inputs, outputs, None);
            let other = Linear::pack(numbers, Products::F32, &turned, Order::OutputsFirst, inputs, outputs, None);
            let input = noise(2 * inputs, 8);
            assert_eq!(run(&straight, Isa::best(), &input), run(&other, Isa::best(), &input));
            let found = column(&other, 69);
            // A column's largest weight is at most one, so half of a step of 8 bits is at most 1/254.
            let tolerance = if numbers == WeightType::Int8 { 1.0 / 254.0 } else { 0.0 };
            assert!(found.iter().zip(&turned[69 * inputs..]).all(|(a, b)| (a - b).abs() <= tolerance), "{numbers:?}");
        }
    }

    /// Units of this machine, and the one that is computed in plain Rust.
    fn units() -> Vec<Unit> {
        Unit::available().into_iter().chain([Unit(Kind::LikeAmx)]).collect()
    }

    fn all_products() -> Vec<Products> {
        let split = units().into_iter().filter(|unit| unit.gains_from_splitting()).map(Products::SplitBf16);
        units().into_iter().map(Products::Bf16).chain(split).collect()
    }

    #[test]
    fn products_of_bf16_are_as_near_to_f64_as_they_promise() {
        let (rows, inputs, outputs) = (35, 768, 75);
        let (weight, bias) = (noise(inputs * outputs, 21), noise(outputs, 22));
        let input = noise(rows * inputs, 23);
        let round = |values: &[f32]| values.iter().map(|value| bf16::from_f32(*value).to_f32()).collect::<Vec<f32>>();
        // Weights of 8 bits are multiplied by whole numbers, but for those of which three of `bf16` are made.
        let pairs = |(products, numbers): &(Products, WeightType)| {
            *numbers != WeightType::Int8 || matches!(products, Products::SplitBf16(_))
        };
        let all = all_products().into_iter().flat_map(|products| ALL.map(|numbers| (products, numbers)));
        for (products, numbers) in all.filter(pairs) {
            let layer = Linear::pack(numbers, products, &weight, Order::InputsFirst, inputs, outputs, Some(&bias));
            let found = run(&layer, Isa::best(), &input);
            let input = if matches!(products, Products::Bf16(_)) { round(&input) } else { input.clone() };
            for (r, c) in (0..rows).flat_map(|r| (0..outputs).map(move |c| (r, c))) {
                let weights = column(&layer, c);
                let product = |k: usize| f64::from(input[r * inputs + k]) * f64::from(weights[k]);
                let expected = f64::from(bias[c]) + (0..inputs).map(product).sum::<f64>();
                let size = (0..inputs).map(|k| product(k).abs()).sum::<f64>();
                let error = (f64::from(found[r * outputs + c]) - expected).abs() / size;
                assert!(error < 2f64.powi(-20), "{products:?} {numbers:?} at {r}, {c}: 2^{}", error.log2());
            }
        }
    }

    #[test]
    fn weights_of_pairs_are_given_back() {
        let (inputs, outputs) = (37, 50);
        let weight = noise(inputs * outputs, 31);
        for unit in units() {
            let pack =
                |products| Linear::pack(WeightType::F32, products, &weight, Order::OutputsFirst, inputs, outputs, None);
            assert_eq!(column(&pack(Products::SplitBf16(unit)), 49), weight[49 * inputs..], "three terms lose nothing");
            let rounded: Vec<f32> = weight[..inputs].iter().map(|value| bf16::from_f32(*value).to_f32()).collect();
            assert_eq!(column(&pack(Products::Bf16(unit)), 0), rounded);
        }
    }

    #[test]
    fn products_of_bf16_are_the_same_whatever_stands_beside_them() {
        let (inputs, outputs) = (1700, 150);
        let (weight, bias, input) = (noise(inputs * outputs, 4), noise(outputs, 5), noise(250 * inputs, 6));
        for products in all_products() {
            let layer =
                Linear::pack(WeightType::F32, products, &weight, Order::InputsFirst, inputs, outputs, Some(&bias));
            let all = run(&layer, Isa::best(), &input);
            for (isa, rows) in Isa::available()
                .into_iter()
                .flat_map(|isa| [0..1, 1..3, 5..10, 17..50, 100..250].map(|rows| (isa, rows)))
            {
                let part = run(&layer, isa, &input[rows.start * inputs..rows.end * inputs]);
                let expected = &all[rows.start * outputs..rows.end * outputs];
                assert!(bits(&part) == bits(expected), "{products:?} {isa:?} {rows:?}");
            }
        }
    }

    /// The instruction against its manual: of each pair the upper product is added first.
    #[test]
    fn registers_of_pairs_compute_what_their_manual_says() {
        let (inputs, outputs) = (96, 20);
        let (weight, bias, input) = (noise(inputs * outputs, 41), noise(outputs, 42), noise(3 * inputs, 43));
        for unit in Unit::available().into_iter().filter(|unit| !unit.gains_from_splitting()) {
            let layer = Linear::pack(
                WeightType::F32,
                Products::Bf16(unit),
                &weight,
                Order::InputsFirst,
                inputs,
                outputs,
                Some(&bias),
            );
            let found = run(&layer, Isa::best(), &input);
            for (r, c) in (0..3).flat_map(|r| (0..outputs).map(move |c| (r, c))) {
                let weights = column(&layer, c);
                let product =
                    |sum: f32, k: usize| bf16::from_f32(input[r * inputs + k]).to_f32().mul_add(weights[k], sum);
                let expected = (0..inputs / 2).fold(bias[c], |sum, pair| product(product(sum, 2 * pair + 1), 2 * pair));
                assert_eq!(found[r * outputs + c].to_bits(), expected.to_bits(), "{} at {r}, {c}", unit.name());
            }
        }
    }
}
