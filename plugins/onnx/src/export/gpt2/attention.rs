//! Attention with past keys and values.

use super::super::graph::Attribute::{Float, Int, Ints};
use super::operations::path;
use super::*;
use crate::proto::data_type;

/// What is the same for all layers.
pub(super) struct Shared {
    /// None where the operator takes lengths instead. `[batch_size, 1, sequence_length, past_sequence_length + sequence_length]`: 0 where a token sees another, else a number
    /// that leaves nothing of any score.
    mask: Option<String>,
    /// The shape in which rows fall into sequences, and where it serves into heads.
    split: String,
    /// The shape in which they lie one after the other.
    rows: String,
}

impl Gpt2<'_> {
    /// Adds what all layers share, and the constants that serve it.
    ///
    /// A token sees itself and those before it, of which the attention mask holds no 0. What is before counts past and new
    /// tokens, whatever `position_ids` holds.
    pub(super) fn attention_shared(&mut self) -> Shared {
        let Gpt2Config { n_embd, n_head, .. } = *self.config;
        let graph = &mut self.graph;
        graph.list("flat", &[-1]);
        let shape = graph.node("Shape", "/shape", &["input_ids"], &[]);
        let (heads, width) = (n_head as i64, n_embd as i64);
        let inner = match self.operators {
            Operators::Standard => graph.list("heads", &[heads, width / heads]),
            Operators::Fused => graph.list("width", &[width]),
            // Queries, keys and values stay together.
            Operators::Grouped => graph.list("width", &[3 * width]),
        };
        let split = graph.node("Concat", "/attn/shape", &[&shape, &inner], &[("axis", Int(0))]);
        let rows = graph.list("rows", &[-1, width]);
        let mask = (self.operators != Operators::Grouped).then(|| self.mask(&shape));
        Shared { mask, split, rows }
    }

    fn mask(&mut self, shape: &str) -> String {
        let graph = &mut self.graph;
        let zero = graph.integer("zero", 0);
        let one = graph.integer("one", 1);
        let last = graph.list("last", &[-1]);
        let mask_shape = graph.node("Shape", "/mask/shape", &["attention_mask"], &[]);
        let new = graph.node("Gather", "/mask/new", &[shape, &one], &[]);
        let total = graph.node("Gather", "/mask/total", &[&mask_shape, &one], &[]);
        let past = graph.node("Sub", "/mask/past", &[&total, &new], &[]);
        let keys = graph.node("Range", "/mask/keys", &[&zero, &total, &one], &[]);
        let queries = graph.node("Range", "/mask/queries", &[&past, &total, &one], &[]);
        let queries = graph.node("Unsqueeze", "/mask/queries/column", &[&queries, &last], &[]);
        let before = graph.node("LessOrEqual", "/mask/before", &[&keys, &queries], &[]);
        let there = graph.node("Cast", "/mask/there", &["attention_mask"], &[("to", Int(data_type::BOOL.into()))]);
        let middle = graph.list("middle", &[1, 2]);
        let there = graph.node("Unsqueeze", "/mask/there/rows", &[&there, &middle], &[]);
        let seen = graph.node("And", "/mask/seen", &[&there, &before], &[]);
        // Finite: a row of padding that sees nothing then has an average of what it does not see, and no NaN.
        let hidden = match graph.dtype() {
            NumberType::F32 => -1e9,
            NumberType::F16 => -3e4,
        };
        let (shown, hidden) = (graph.number("shown", 0.0), graph.number("hidden", hidden));
        graph.node("Where", "/mask", &[&seen, &shown, &hidden], &[])
    }

    /// What attention gives for each row, before its output layer.
    pub(super) fn attention(&mut self, layer: usize, x: &str, shared: &Shared) -> Result<String> {
        let Gpt2Config { n_embd, n_head, .. } = *self.config;
        let cache = |total| [Axis::Any(BATCH), Axis::Size(n_head), Axis::Any(total), Axis::Size(n_embd / n_head)];
        let [past_key, past_value] = ["key", "value"].map(|what| format!("past_key_values.{layer}.{what}"));
        let [key, value] = ["key", "value"].map(|what| format!("present.{layer}.{what}"));
        let (there, after) = if self.operators == Operators::Grouped { (CAPACITY, CAPACITY) } else { (PAST, TOTAL) };
        for (past, present) in [(&past_key, &key), (&past_value, &value)] {
            self.graph.input(past, Element::Number, &cache(there));
            self.graph.output(present, &cache(after));
        }
        let name = format!("h.{layer}.attn.c_attn");
        let (qkv, bias) = self.linear(&name, x, n_embd, 3 * n_embd)?.parts();
        let at = path(&format!("h.{layer}.attn"));
        let Some(mask) = &shared.mask else {
            let qkv = match bias {
                Some(bias) => self.graph.node("Add", &format!("{at}/qkv"), &[&qkv, &bias], &[]),
                None => qkv,
            };
            let qkv = self.graph.node("Reshape", &format!("{at}/qkv/sequences"), &[&qkv, &shared.split], &[]);
            let inputs = [&qkv, "", "", &past_key, &past_value, "seqlens_k", "total_sequence_length"];
            let context = format!("{at}/context");
            let scale = self.config.attention_scale(layer);
            let heads = Int(n_head as i64);
            let attributes = [("num_heads", heads), ("kv_num_heads", Int(n_head as i64)), ("scale", Float(scale))];
            let op = "com.microsoft::GroupQueryAttention";
            self.graph.node_with_outputs(op, &context, &inputs, &[&context, &key, &value], &attributes);
            return Ok(self.graph.node("Reshape", &format!("{at}/rows"), &[&context, &shared.rows], &[]));
        };
        let parts = ["q", "k", "v"].map(|part| format!("{at}/{part}"));
        let outputs = parts.each_ref().map(String::as_str);
        let thirds = [("axis", Int(-1)), ("num_outputs", Int(3))];
        self.graph.node_with_outputs("Split", &format!("{at}/split"), &[&qkv], &outputs, &thirds);
        let [q, k, v] = outputs;
        let scale = self.config.attention_scale(layer);
        let context = match bias {
            None => {
                self.composed(&at, [q, k, v], [&past_key, &past_value], [&key, &value], scale, (&shared.split, mask))
            }
            Some(bias) => {
                let reshape =
                    |part: &&str| self.graph.node("Reshape", &format!("{part}/sequences"), &[part, &shared.split], &[]);
                let [q, k, v] = [q, k, v].each_ref().map(reshape);
                let inputs = [q.as_str(), &k, &v, &bias, "", mask, &past_key, &past_value];
                let context = format!("{at}/context");
                let attributes = [("num_heads", Int(n_head as i64)), ("scale", Float(scale))];
                let outputs = [context.as_str(), &key, &value];
                let op = "com.microsoft::MultiHeadAttention";
                self.graph.node_with_outputs(op, &context, &inputs, &outputs, &attributes);
                context
            }
        };
        Ok(self.graph.node("Reshape", &format!("{at}/rows"), &[&context, &shared.rows], &[]))
    }

    /// Attention in standard operators: `[batch_size, sequence_length, heads, width of a head]`.
    fn composed(
        &mut self,
        at: &str,
        [q, k, v]: [&str; 3],
        past: [&str; 2],
        [key, value]: [&str; 2],
        scale: f32,
        (split, mask): (&str, &str),
    ) -> String {
        let graph = &mut self.graph;
        let mut heads = |part: &str| {
            let split = graph.node("Reshape", &format!("{part}/sequences"), &[part, split], &[]);
            graph.node("Transpose", &format!("{part}/heads"), &[&split], &[("perm", Ints(&[0, 2, 1, 3]))])
        };
        let [q, k, v] = [heads(q), heads(k), heads(v)];
        for (past, new, present) in [(past[0], k, key), (past[1], v, value)] {
            graph.node_with_outputs(
                "Concat",
                &format!("{present}/Concat"),
                &[past, &new],
                &[present],
                &[("axis", Int(2))],
            );
        }
        let scale = graph.number(&format!("{at}/scale"), scale);
        let q = graph.node("Mul", &format!("{at}/q/scaled"), &[&q, &scale], &[]);
        let turned = graph.node("Transpose", &format!("{at}/k/turned"), &[key], &[("perm", Ints(&[0, 1, 3, 2]))]);
        let scores = graph.node("MatMul", &format!("{at}/scores"), &[&q, &turned], &[]);
        let masked = graph.node("Add", &format!("{at}/masked"), &[&scores, mask], &[]);
        let shares = graph.node("Softmax", &format!("{at}/softmax"), &[&masked], &[("axis", Int(-1))]);
        let context = graph.node("MatMul", &format!("{at}/context/heads"), &[&shares, value], &[]);
        graph.node("Transpose", &format!("{at}/context"), &[&context], &[("perm", Ints(&[0, 2, 1, 3]))])
    }
}
