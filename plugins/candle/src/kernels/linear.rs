//! Linear layers with weights packed once, when they are loaded.

use super::lanes::{Isa, Lanes, for_each_isa};
use super::tile::{Operands, ROWS, multiply};
use rayon::prelude::*;

/// Columns of a panel: four AVX-512 registers.
const PANEL: usize = 64;
/// So many values of `k` are multiplied before the next panel comes: a block of a panel (128 KiB) stays in the
/// second-level cache while all rows pass by. Between blocks, sums are stored and loaded as they are.
const DEPTH: usize = 512;
/// Rows of a task; their inputs of one block (240 KiB) stay in the second-level cache, too.
const BLOCK: usize = 20 * ROWS;
/// A task below this many multiply-adds costs more to hand out than it saves.
const LEAST_WORK: usize = 1 << 17;

/// How a weight matrix lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `[inputs, outputs]`: GPT-2's `Conv1D`.
    InputsFirst,
    /// `[outputs, inputs]`: embeddings, and linear layers of nearly everything else.
    OutputsFirst,
}

/// `output = input · weight + bias`, in `f32`.
pub struct Linear {
    inputs: usize,
    outputs: usize,
    /// `[panels][inputs][PANEL]` from `start` on; columns after the last are zero.
    panels: Vec<f32>,
    /// Where the panels begin in their allocation, so that registers are loaded from whole cache lines.
    start: usize,
    bias: Vec<f32>,
}

impl Linear {
    /// Packs a weight matrix of `inputs × outputs` values, row-major in the given order. No bias means zeros.
    ///
    /// # Panics
    /// If `weight` or `bias` are of another size.
    pub fn pack(weight: &[f32], order: Order, inputs: usize, outputs: usize, bias: Option<&[f32]>) -> Linear {
        assert_eq!(weight.len(), inputs * outputs, "a weight matrix of {inputs} x {outputs}");
        let bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
        assert_eq!(bias.len(), outputs, "a bias of {outputs}");
        let size = outputs.div_ceil(PANEL) * inputs * PANEL;
        let mut panels = vec![0.0f32; size + PANEL];
        let start = panels.as_ptr().align_offset(64).min(PANEL);
        panels[start..start + size].par_chunks_mut((inputs * PANEL).max(1)).enumerate().for_each(|(panel, packed)| {
            let columns = PANEL.min(outputs - panel * PANEL);
            for (k, row) in packed.chunks_exact_mut(PANEL).enumerate() {
                match order {
                    Order::InputsFirst => {
                        let from = k * outputs + panel * PANEL;
                        row[..columns].copy_from_slice(&weight[from..from + columns]);
                    }
                    Order::OutputsFirst => {
                        for (c, value) in row[..columns].iter_mut().enumerate() {
                            *value = weight[(panel * PANEL + c) * inputs + k];
                        }
                    }
                }
            }
        });
        Linear { inputs, outputs, panels, start, bias }
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
        let first = self.start + output / PANEL * self.inputs * PANEL + output % PANEL;
        for (k, value) in into.iter_mut().enumerate() {
            *value = self.panels[first + k * PANEL];
        }
    }

    /// Rows in, `[rows, inputs]`; rows out, `[rows, outputs]`.
    ///
    /// # Panics
    /// If the two do not fit.
    pub fn forward(&self, isa: Isa, input: &[f32], output: &mut [f32]) {
        if self.outputs == 0 || output.is_empty() {
            return;
        }
        let rows = output.len() / self.outputs;
        assert_eq!(output.len(), rows * self.outputs, "whole rows of output");
        assert_eq!(input.len(), rows * self.inputs, "as many rows of input as of output");
        let panels = self.outputs.div_ceil(PANEL);
        let blocks = rows.div_ceil(BLOCK);
        let wanted = (4 * rayon::current_num_threads()).div_ceil(blocks);
        let cheap = LEAST_WORK.div_ceil(self.inputs.max(1) * PANEL * rows.min(BLOCK));
        let group = panels.div_ceil(wanted).max(cheap).clamp(1, panels);
        let groups = panels.div_ceil(group);
        let out = Output(output.as_mut_ptr());
        (0..blocks * groups).into_par_iter().for_each(|task| {
            let (block, first) = (task % blocks, task / blocks * group);
            let rows = block * BLOCK..rows.min((block + 1) * BLOCK);
            let panels = first..panels.min(first + group);
            let columns = panels.start * PANEL..self.outputs.min(panels.end * PANEL);
            // SAFETY: tasks differ in rows or in columns, so no other one touches this part of the output, which is
            // not looked at before all have ended. Shapes were checked above.
            unsafe { linear_block(isa, self, input.as_ptr(), out.at(), rows, columns) };
        });
    }
}

/// The output, written by several threads at once, each at places of its own.
struct Output(*mut f32);

// SAFETY: tasks write disjoint places, see `Linear::forward`.
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
    /// `input` and `output` hold the rows; nobody else touches these rows and columns of `output`.
    fn linear_block(layer: &Linear, input: *const f32, output: *mut f32, rows: Range, columns: Range) = block
}

#[inline(always)]
unsafe fn block<V: Lanes>(layer: &Linear, input: *const f32, output: *mut f32, rows: Range, columns: Range) {
    let packed = layer.panels[layer.start..].as_ptr();
    let mut edge = [0.0f32; ROWS * PANEL];
    // SAFETY: rows and columns lie within the matrices. A full panel is written in place; the last one, if it is
    // narrower, goes through `edge`, which has room for a whole one.
    unsafe {
        for row in rows.clone() {
            let bias = layer.bias[columns.clone()].as_ptr();
            std::ptr::copy_nonoverlapping(bias, output.add(row * layer.outputs + columns.start), columns.len());
        }
        for k in (0..layer.inputs).step_by(DEPTH) {
            let depth = DEPTH.min(layer.inputs - k);
            for column in columns.clone().step_by(PANEL) {
                let width = PANEL.min(columns.end - column);
                for row in rows.clone().step_by(ROWS) {
                    let height = ROWS.min(rows.end - row);
                    let at = output.add(row * layer.outputs + column);
                    let operands = Operands {
                        x: input.add(row * layer.inputs + k),
                        x_stride: layer.inputs,
                        w: packed.add(column * layer.inputs + k * PANEL),
                        w_stride: PANEL,
                        out: at,
                        out_stride: layer.outputs,
                    };
                    if width == PANEL {
                        multiply::<V>(operands, height, depth, PANEL);
                        continue;
                    }
                    for r in 0..height {
                        let row = edge.as_mut_ptr().add(r * PANEL);
                        std::ptr::copy_nonoverlapping(at.add(r * layer.outputs), row, width);
                    }
                    let out = edge.as_mut_ptr();
                    multiply::<V>(Operands { out, out_stride: PANEL, ..operands }, height, depth, width);
                    for r in 0..height {
                        let row = edge.as_ptr().add(r * PANEL);
                        std::ptr::copy_nonoverlapping(row, at.add(r * layer.outputs), width);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in [-1, 1) that look random.
    fn noise(length: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        (0..length).map(|_| next()).collect()
    }

    fn run(layer: &Linear, isa: Isa, input: &[f32]) -> Vec<f32> {
        let mut output = vec![f32::NAN; input.len() / layer.inputs * layer.outputs];
        layer.forward(isa, input, &mut output);
        output
    }

    #[test]
    fn agrees_with_a_plain_product_in_f64() {
        for (rows, inputs, outputs) in [(1, 1, 1), (3, 7, 5), (6, 64, 64), (13, 600, 130), (125, 33, 70)] {
            let (weight, bias, input) = (noise(inputs * outputs, 1), noise(outputs, 2), noise(rows * inputs, 3));
            let layer = Linear::pack(&weight, Order::InputsFirst, inputs, outputs, Some(&bias));
            let output = run(&layer, Isa::best(), &input);
            for (r, c) in (0..rows).flat_map(|r| (0..outputs).map(move |c| (r, c))) {
                let product = |k: usize| f64::from(input[r * inputs + k]) * f64::from(weight[k * outputs + c]);
                let expected = f64::from(bias[c]) + (0..inputs).map(product).sum::<f64>();
                let tolerance = 3e-7 * (1.0 + (0..inputs).map(|k| product(k).abs()).sum::<f64>());
                let found = f64::from(output[r * outputs + c]);
                let at = format!("{rows}x{inputs}x{outputs} at {r}, {c}");
                assert!((expected - found).abs() < tolerance, "{at}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn every_element_is_one_serial_chain_whatever_stands_beside_it() {
        let (inputs, outputs) = (1100, 150);
        let (weight, bias, input) = (noise(inputs * outputs, 4), noise(outputs, 5), noise(250 * inputs, 6));
        let layer = Linear::pack(&weight, Order::InputsFirst, inputs, outputs, Some(&bias));
        let all = run(&layer, Isa::best(), &input);
        for isa in Isa::available() {
            for rows in [0..1, 1..3, 5..10, 17..24, 100..250] {
                let part = run(&layer, isa, &input[rows.start * inputs..rows.end * inputs]);
                let expected = &all[rows.start * outputs..rows.end * outputs];
                assert!(part.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?} {rows:?}");
            }
        }
        let chain = (0..inputs).fold(bias[149], |sum, k| input[k].mul_add(weight[k * outputs + 149], sum));
        assert_eq!(all[149].to_bits(), chain.to_bits());
    }

    #[test]
    fn both_orders_pack_alike_and_give_columns_back() {
        let (inputs, outputs) = (9, 70);
        let weight = noise(inputs * outputs, 7);
        let turned: Vec<f32> =
            (0..outputs).flat_map(|c| (0..inputs).map(move |k| (k, c))).map(|(k, c)| weight[k * outputs + c]).collect();
        let straight = Linear::pack(&weight, Order::InputsFirst, inputs, outputs, None);
        let other = Linear::pack(&turned, Order::OutputsFirst, inputs, outputs, None);
        let input = noise(2 * inputs, 8);
        assert_eq!(run(&straight, Isa::best(), &input), run(&other, Isa::best(), &input));
        let mut column = vec![0.0; inputs];
        other.weights_of(69, &mut column);
        assert_eq!(column, turned[69 * inputs..]);
    }
}
