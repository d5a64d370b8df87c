//! Matrices whose numbers have 4 bits, and what multiplies by them.

use super::super::rounding::{BITS, BLOCK, Rounded};
use super::*;

/// The tensors of a rounded matrix, as the operators take them: numbers, scales, and zero points if there are any.
pub(super) type Parts = Vec<String>;

/// The embeddings of all tokens.
pub(super) enum Table {
    Numbers(String),
    Rounded(Parts),
}

impl Builder<'_> {
    /// The embeddings. Where the output head is the same matrix, both are rounded, as ONNX Runtime GenAI's builder does it.
    pub(super) fn embeddings(&mut self) -> Result<Table> {
        let plan = self.plan;
        let name = format!("{}.weight", plan.names.tokens);
        // Rows that end within a block cannot be looked up.
        Ok(match self.rounding.filter(|_| plan.tied && plan.width.is_multiple_of(BLOCK)) {
            Some(rounding) => {
                let (stored, name) = self.names(&name);
                Table::Rounded(self.rounded(stored, &name, [plan.width, plan.vocabulary], false, rounding)?)
            }
            None => Table::Numbers(self.weight(&name, &[plan.vocabulary, plan.width])?),
        })
    }

    /// The rounded form of a matrix that the checkpoint calls `stored` and the graph `name`.
    pub(super) fn rounded(
        &mut self,
        stored: String,
        name: &str,
        [inputs, outputs]: [usize; 2],
        inputs_first: bool,
        rounding: Rounding,
    ) -> Result<Parts> {
        self.weights.take(&stored, &if inputs_first { [inputs, outputs] } else { [outputs, inputs] })?;
        let parts = rounding.parts().iter().map(|&(part, end)| {
            let rounded = Rounded { tensor: stored.clone(), outputs, inputs, inputs_first, rounding, part };
            let shape = rounded.shape();
            self.graph.weight(&format!("{name}{end}"), Source::Rounded(rounded), &shape)
        });
        Ok(parts.collect())
    }

    /// Rows times a rounded matrix.
    pub(super) fn rounded_product(
        &mut self,
        at: &str,
        x: &str,
        parts: &[String],
        [inputs, outputs]: [usize; 2],
    ) -> String {
        let mut all = vec![x];
        all.extend(parts.iter().map(String::as_str));
        let size = |size: usize| Int(size as i64);
        let attributes = [("K", size(inputs)), ("N", size(outputs)), ("bits", size(BITS)), ("block_size", size(BLOCK))];
        self.graph.node("com.microsoft::MatMulNBits", at, &all, &attributes)
    }

    /// The rows of a rounded table that `ids` names, of which each is whole blocks.
    pub(super) fn rounded_rows(&mut self, at: &str, parts: &[String], ids: &str) -> String {
        let (numbers, rest) = (&parts[0], &parts[1..]);
        // The product takes a block by a block, the look-up a row by a row.
        let shape = self.graph.list("rounded_rows", &[0, -1]);
        let numbers = self.graph.node("Reshape", &format!("{at}/table"), &[numbers, &shape], &[]);
        let mut all = vec![&*numbers, ids];
        all.extend(rest.iter().map(String::as_str));
        let size = |size: usize| Int(size as i64);
        let attributes =
            [("gather_axis", Int(0)), ("quantize_axis", Int(1)), ("bits", size(BITS)), ("block_size", size(BLOCK))];
        self.graph.node("com.microsoft::GatherBlockQuantized", at, &all, &attributes)
    }
}
