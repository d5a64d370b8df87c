//! Rotary positions.

use super::heads::{Heads, HeadsShape};
use super::*;

impl Builder<'_> {
    /// Queries or keys, turned by the positions of their tokens: of each head the first values, in pairs half of them apart.
    pub(super) fn rotated(&mut self, heads: Heads, rope: usize, shared: &Shared) -> Heads {
        let Some(tables) = &shared.tables[rope] else { return heads };
        let rotated = self.plan.ropes[rope].rotated();
        match shared.angles.get(rope) {
            Some(Some([cosines, sines])) => self.rotated_by_parts(heads, rotated, [cosines, sines]),
            _ => self.rotated_by_one(heads, rotated, tables),
        }
    }

    /// The same by ONNX Runtime's operator.
    fn rotated_by_one(&mut self, heads: Heads, rotated: usize, [cosines, sines]: &[String; 2]) -> Heads {
        let x = self.sequences(&heads);
        let name = format!("{}/rotated", heads.name);
        let count = Int(heads.count as i64);
        let attributes = [("num_heads", count), ("rotary_embedding_dim", Int(rotated as i64))];
        // A whole head is what the operator takes for given.
        let attributes = if rotated == self.plan.head_width { &attributes[..1] } else { &attributes[..] };
        let op = "com.microsoft::RotaryEmbedding";
        let value = self.graph.node(op, &name, &[&x, "position_ids", cosines, sines], attributes);
        Heads { value, shape: HeadsShape::Sequences, ..heads }
    }

    fn rotated_by_parts(&mut self, heads: Heads, rotated: usize, [cosines, sines]: [&str; 2]) -> Heads {
        let x = self.split_heads(&heads);
        let at = format!("{}/rotated", heads.name);
        let (pairs, rest) = ((rotated / 2) as i64, (self.plan.head_width - rotated) as i64);
        let graph = &mut self.graph;
        let parts = ["first", "second", "rest"].map(|part| format!("{at}/{part}"));
        let mut outputs = parts.each_ref().map(String::as_str).to_vec();
        let mut sizes = vec![pairs, pairs, rest];
        if rest == 0 {
            outputs.truncate(2);
            sizes.truncate(2);
        }
        let sizes = graph.list(&format!("rotated.{rotated}"), &sizes);
        graph.node_with_outputs("Split", &format!("{at}/split"), &[&x, &sizes], &outputs, &[("axis", Int(-1))]);
        let mut product = |part: usize, by: &str, name: &str| {
            graph.node("Mul", &format!("{}/{name}", parts[part]), &[&parts[part], by], &[])
        };
        let [first, second] = [product(0, cosines, "cos"), product(1, sines, "sin")];
        let [third, fourth] = [product(1, cosines, "cos"), product(0, sines, "sin")];
        let first = graph.node("Sub", &format!("{at}/first/turned"), &[&first, &second], &[]);
        let second = graph.node("Add", &format!("{at}/second/turned"), &[&third, &fourth], &[]);
        let mut turned = vec![first.as_str(), &second];
        turned.extend(outputs.get(2).copied());
        let value = graph.node("Concat", &at, &turned, &[("axis", Int(-1))]);
        Heads { value, shape: HeadsShape::Heads, ..heads }
    }
}
