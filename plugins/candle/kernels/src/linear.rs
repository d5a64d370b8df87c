//! Linear layers with weights packed once, when they are loaded.

use super::activation::activate_body;
use super::lanes::{Element, Isa, Lanes, for_each_isa};
use super::packed_weights::{Matrix, Order, PackedWeights, WeightType, Weights};
use super::quantized::{Blocks, Few, Quantized, Unpacked, Words};
use super::tasks::for_each_task;
use super::tile::{COLUMN_BLOCK, Operands, Prefetch, ROWS, Start, multiply_tile, registers_abreast};
use examiner_lm::checkpoint::Activation;

/// Columns of the smallest task: four AVX-512 registers.
const PANEL: usize = 4 * COLUMN_BLOCK;
/// So many values of `k` are multiplied before the next column block comes: its part of so many rows (48 KiB) stays in the nearest
/// caches while all rows of a task pass by. Between blocks, sums are stored and loaded as they are.
const DEPTH: usize = 768;
/// Rows of a task; their inputs of one block (360 KiB) stay in the second-level cache.
const BLOCK: usize = 20 * ROWS;
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

/// `output = input · weight + bias`. Whatever type the weights have in memory, they are computed with in `f32`.
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

    /// Rounds a weight matrix of `inputs × outputs` values, row-major in the given order, to a number type, and packs it.
    /// No bias means zeros.
    ///
    /// # Panics
    /// If `weight` or `bias` are of another size.
    pub fn pack<S: Copy + Sync + Into<f32>>(
        numbers: WeightType,
        weight: &[S],
        order: Order,
        inputs: usize,
        outputs: usize,
        bias: Option<&[f32]>,
    ) -> Linear {
        assert_eq!(weight.len(), inputs * outputs, "a weight matrix of {inputs} x {outputs}");
        let weights = Weights::pack(numbers, &Matrix { values: weight, order, inputs, outputs });
        Linear { inputs, outputs, weights, bias: padded(bias, outputs) }
    }

    /// Packs outputs in blocks as they are: what they are multiplied to is, bit by bit, what the numbers that they stand for are in
    /// 32 bits. The outputs of all pieces are side by side.
    ///
    /// # Panics
    /// If a piece or `bias` is of another size, if `inputs` are not whole blocks, or if the outputs of a piece that another one follows
    /// are not a multiple of [`BLOCK_OUTPUTS`](Self::BLOCK_OUTPUTS).
    pub fn pack_blocks(pieces: &[Blocks<'_>], inputs: usize, bias: Option<&[f32]>) -> Linear {
        let outputs = pieces.iter().map(|piece| piece.outputs).sum();
        let weights = Weights::Quantized(Quantized::pack(pieces, inputs));
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
            // SAFETY: tasks differ in rows or in columns, so no other one touches this part of the output, which is
            // not looked at before all have ended. Shapes were checked above.
            unsafe { linear_block(isa, self, input.as_ptr(), finish, out.at(), rows, columns) };
        });
    }
}

/// A bias with zeros for the outputs that fill the last column block.
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

type Range = std::ops::Range<usize>;

for_each_isa! {
    /// The given rows and columns of a linear layer. Columns begin at a panel.
    ///
    /// # Safety
    /// `input` and `output` hold the rows; no other thread touches these rows and columns of `output`.
    unsafe fn linear_block(
        layer: &Linear, input: *const f32, finish: Finish<'_>, output: *mut f32, rows: Range, columns: Range
    ) = block::<Lanes>
}

#[inline(always)]
unsafe fn block<V: Words>(
    layer: &Linear,
    input: *const f32,
    finish: Finish<'_>,
    output: *mut f32,
    rows: Range,
    columns: Range,
) {
    let (at, bias) = ((rows.clone(), columns.clone()), Start::Values(layer.bias.as_ptr(), 0));
    // SAFETY: the caller guarantees it; the bias is padded to whole column blocks.
    let scales = unsafe {
        match &layer.weights {
            Weights::F32(packed) => products::<V, _>(layer, Packed::of(layer, packed), bias, input, output, at),
            Weights::F16(packed) => products::<V, _>(layer, Packed::of(layer, packed), bias, input, output, at),
            Weights::Bf16(packed) => products::<V, _>(layer, Packed::of(layer, packed), bias, input, output, at),
            Weights::Int8(packed, _) => {
                products::<V, _>(layer, Packed::of(layer, packed), Start::Zeros, input, output, at);
            }
            Weights::Quantized(weights) => {
                let few = (rows.len() <= V::DIRECT_ROWS).then(|| Few {
                    rows: rows.len(),
                    input: input.add(rows.start * layer.inputs),
                    bias: layer.bias.as_ptr(),
                    output: output.add(rows.start * layer.outputs),
                    outputs: layer.outputs,
                });
                for (part, mut columns) in weights.parts(columns.clone()) {
                    if let Some(few) = few {
                        columns.start = part.multiply::<V>(few, columns.clone());
                    }
                    if !columns.is_empty() {
                        let strips = Unpacked::<V>::of(part);
                        products::<V, _>(layer, strips, bias, input, output, (rows.clone(), columns));
                    }
                }
            }
        }
        match &layer.weights {
            Weights::Int8(_, scales) => Some((&scales[columns.clone()], &layer.bias[columns.clone()])),
            _ => None,
        }
    };
    for row in rows {
        let first = row * layer.outputs + columns.start;
        // SAFETY: as above.
        let values = unsafe { std::slice::from_raw_parts_mut(output.add(first), columns.len()) };
        if let Some((scales, bias)) = scales {
            for (value, (scale, bias)) in values.iter_mut().zip(scales.iter().zip(bias)) {
                *value = value.mul_add(*scale, *bias);
            }
        }
        match finish {
            Finish::Nothing if scales.is_none() => return,
            Finish::Nothing => (),
            Finish::Activate(activation) => activate_body(activation, values),
            Finish::Add(others) => {
                for (value, other) in values.iter_mut().zip(&others[first..first + columns.len()]) {
                    *value += other;
                }
            }
        }
    }
}

/// Where the weights are that are multiplied next.
pub(super) trait Strips {
    type Number: Element;
    /// `depth` weights of neighbouring columns from `k` on: where they begin, and how far apart their column blocks do.
    ///
    /// # Safety
    /// The layer has these columns, which begin at a column block, and these inputs; the machine has the instructions.
    unsafe fn strip(&mut self, columns: Range, k: usize, depth: usize) -> (*const Self::Number, usize);
    /// Where those from a column and `k` on will be, if they can be fetched meanwhile.
    fn ahead(&self, column: usize, k: usize) -> Option<*const Self::Number>;
}

/// Weights that are multiplied from where they are.
struct Packed<W> {
    values: *const W,
    inputs: usize,
}

impl<W: Element> Packed<W> {
    fn of(layer: &Linear, weights: &PackedWeights<W>) -> Self {
        Packed { values: weights.as_ptr(), inputs: layer.inputs }
    }
}

impl<W: Element> Strips for Packed<W> {
    type Number = W;

    #[inline(always)]
    unsafe fn strip(&mut self, columns: Range, k: usize, _: usize) -> (*const W, usize) {
        // SAFETY: the caller guarantees it.
        let first = unsafe { self.values.add(columns.start * self.inputs + k * COLUMN_BLOCK) };
        (first, self.inputs * COLUMN_BLOCK)
    }

    #[inline(always)]
    fn ahead(&self, column: usize, k: usize) -> Option<*const W> {
        Some(self.values.wrapping_add(column * self.inputs + k * COLUMN_BLOCK))
    }
}

/// Chains of multiply-adds that go on from `start`, for the given rows and columns.
#[inline(always)]
unsafe fn products<V: Lanes, S: Strips>(
    layer: &Linear,
    mut strips: S,
    start: Start,
    input: *const f32,
    output: *mut f32,
    (rows, columns): (Range, Range),
) {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let group = (registers_abreast::<V>(rows.len()) * V::WIDTH).max(COLUMN_BLOCK);
    let tiles = rows.len().div_ceil(ROWS);
    let mut edge = [0.0f32; ROWS * COLUMN_BLOCK];
    let mut k = 0;
    // Even without inputs there is a start.
    while k == 0 || k < inputs {
        let depth = DEPTH.min(inputs - k);
        for column in columns.clone().step_by(group) {
            let width = group.min(columns.end - column);
            // What is not a whole column block goes through `edge`, which has room for one.
            let whole = width / COLUMN_BLOCK * COLUMN_BLOCK;
            // Each tile fetches its share of what comes next. A single one would only wait for both.
            let step = COLUMN_BLOCK / tiles.min(COLUMN_BLOCK);
            let next = match column + group {
                next if next < columns.end => strips.ahead(next, k),
                _ => strips.ahead(columns.start, k + depth),
            };
            // SAFETY: the columns and inputs are the layer's.
            let (w, column_block_stride) = unsafe { strips.strip(column..column + width, k, depth) };
            for (tile, row) in rows.clone().step_by(ROWS).enumerate() {
                let height = ROWS.min(rows.end - row);
                let next = next.filter(|_| tiles > 1);
                let ahead = next.map(|next| Prefetch { next: next.wrapping_add(tile * step * depth), step });
                // SAFETY: rows and columns lie within the matrices; column blocks and `start` are padded.
                unsafe {
                    let out = output.add(row * outputs + column);
                    let from = match k {
                        0 => start.at(0, column),
                        _ => Start::Values(out, outputs),
                    };
                    let operands = Operands {
                        x: input.add(row * inputs + k),
                        x_stride: inputs,
                        w,
                        w_stride: COLUMN_BLOCK,
                        column_block_stride,
                        from,
                        out,
                        out_stride: outputs,
                    };
                    multiply_tile::<V, S::Number>(operands, height, depth, whole, ahead);
                    if whole < width {
                        let (out, beside) = (out.add(whole), width - whole);
                        if k > 0 {
                            for r in 0..height {
                                let row = edge.as_mut_ptr().add(r * COLUMN_BLOCK);
                                std::ptr::copy_nonoverlapping(out.add(r * outputs), row, beside);
                            }
                        }
                        let from = if k == 0 { from.at(0, whole) } else { Start::Values(edge.as_ptr(), COLUMN_BLOCK) };
                        let w = w.add(whole / COLUMN_BLOCK * column_block_stride);
                        let operands =
                            Operands { w, from, out: edge.as_mut_ptr(), out_stride: COLUMN_BLOCK, ..operands };
                        multiply_tile::<V, S::Number>(operands, height, depth, beside, ahead);
                        for r in 0..height {
                            let row = edge.as_ptr().add(r * COLUMN_BLOCK);
                            std::ptr::copy_nonoverlapping(row, out.add(r * outputs), beside);
                        }
                    }
                }
            }
        }
        k += DEPTH;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            _ => sum(layer.bias[output], &column(layer, output)),
        }
    }

    #[test]
    fn agrees_with_a_plain_product_in_f64() {
        let shapes = [(1, 1, 1), (3, 7, 5), (6, 64, 64), (13, 600, 130), (125, 33, 70)];
        for (numbers, (rows, inputs, outputs)) in ALL.iter().flat_map(|numbers| shapes.map(|shape| (*numbers, shape))) {
            let (weight, bias, input) = (noise(inputs * outputs, 1), noise(outputs, 2), noise(rows * inputs, 3));
            let layer = Linear::pack(numbers, &weight, Order::InputsFirst, inputs, outputs, Some(&bias));
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
            let layer = Linear::pack(numbers, &weight, Order::InputsFirst, inputs, outputs, Some(&bias));
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
                let layer = Linear::pack(numbers, &weight, Order::OutputsFirst, inputs, outputs, Some(&bias));
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
                Linear::pack(numbers, weight, Order::InputsFirst, inputs, outputs, Some(&bias))
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
            let layer = Linear::pack(numbers, &weight, Order::InputsFirst, inputs, outputs, None);
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
            let straight = Linear::pack(numbers, &weight, Order::InputsFirst, inputs, outputs, None);
            let other = Linear::pack(numbers, &turned, Order::OutputsFirst, inputs, outputs, None);
            let input = noise(2 * inputs, 8);
            assert_eq!(run(&straight, Isa::best(), &input), run(&other, Isa::best(), &input));
            let found = column(&other, 69);
            // A column's largest weight is at most one, so half of a step of 8 bits is at most 1/254.
            let tolerance = if numbers == WeightType::Int8 { 1.0 / 254.0 } else { 0.0 };
            assert!(found.iter().zip(&turned[69 * inputs..]).all(|(a, b)| (a - b).abs() <= tolerance), "{numbers:?}");
        }
    }
}
