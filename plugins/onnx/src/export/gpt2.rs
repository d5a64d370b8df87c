//! GPT-2 as a graph.
//!
//! The tokens of all sequences lie one after the other in one matrix of rows; only attention knows which sequence a row
//! belongs to. So a linear layer is one matrix product however many sequences there are, and rows that nobody wants can
//! be left out. Shapes and the mask are computed once, for all layers.

mod attention;
mod operations;

use super::graph::{Axis, Element, Graph};
use super::options::{ExportOptions, Logits, NumberType, Operators};
use super::weights::Weights;
use examiner_api::{PluginError, Result};
use examiner_lm::checkpoint::Gpt2Config;

const BATCH: &str = "batch_size";
const SEQUENCE: &str = "sequence_length";
const PAST: &str = "past_sequence_length";
const TOTAL: &str = "past_sequence_length + sequence_length";
const ROWS: &str = "rows";
const CAPACITY: &str = "capacity";
/// The one length that is the greatest.
const ONE: usize = 1;

/// The graph of a GPT-2 of that shape.
///
/// # Errors
/// `BadInput` if a tensor is missing, of another shape or number type, or too many.
pub(super) fn graph(config: &Gpt2Config, weights: &mut Weights, options: &ExportOptions) -> Result<Graph> {
    let prefix = if weights.has_prefix("transformer.") { "transformer." } else { "" };
    let embedding = format!("{prefix}wte.weight");
    let tied = config.tie_word_embeddings;
    if tied {
        weights.check_tied("lm_head.weight", &embedding)?;
    }
    if options.operators == Operators::Grouped && options.dtype != NumberType::F32 {
        return Err(PluginError::bad_options("`operators: grouped` is for `dtype: f32`, on a CPU")
            .with_help("write `operators: fused` for a model in 16 bits"));
    }
    let mut gpt2 = Gpt2 { graph: Graph::new(options.dtype), config, weights, prefix, operators: options.operators };
    gpt2.build(options.logits)?;
    let Gpt2 { graph, weights, .. } = gpt2;
    weights.finish(|name| {
        let mask = name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
        mask || (tied && name == "lm_head.weight")
    })?;
    Ok(graph)
}

/// A graph in the making.
struct Gpt2<'a> {
    graph: Graph,
    config: &'a Gpt2Config,
    weights: &'a mut Weights,
    /// What names in the checkpoint begin with.
    prefix: &'static str,
    operators: Operators,
}

impl Gpt2<'_> {
    fn build(&mut self, logits: Logits) -> Result<()> {
        let Gpt2Config { vocab_size, n_positions, n_embd, n_layer, .. } = *self.config;
        let any = Axis::Any;
        self.graph.input("input_ids", Element::Int64, &[any(BATCH), any(SEQUENCE)]);
        match self.operators {
            Operators::Standard | Operators::Fused => {
                self.graph.input("attention_mask", Element::Int64, &[any(BATCH), any(TOTAL)]);
            }
            Operators::Grouped => {
                self.graph.input("seqlens_k", Element::Int32, &[any(BATCH)]);
                self.graph.input("total_sequence_length", Element::Int32, &[Axis::Size(ONE)]);
            }
        }
        self.graph.input("position_ids", Element::Int64, &[any(BATCH), any(SEQUENCE)]);
        let wanted = match logits {
            Logits::All => None,
            Logits::Wanted => Some(self.graph.input("logits_rows", Element::Int64, &[any(ROWS)])),
        };
        // The first output is the logits, as in Optimum's exports.
        match logits {
            Logits::All => self.graph.output("logits", &[any(BATCH), any(SEQUENCE), Axis::Size(vocab_size)]),
            Logits::Wanted => self.graph.output("logits", &[any(ROWS), Axis::Size(vocab_size)]),
        }

        let embedding = self.weight("wte.weight", &[vocab_size, n_embd])?;
        let positions = self.weight("wpe.weight", &[n_positions, n_embd])?;
        let shared = self.attention_shared();
        let tokens = self.look_up("/wte", &embedding, "input_ids");
        let positions = self.look_up("/wpe", &positions, "position_ids");
        let (mut x, mut normed) = self.add_norm("/embeddings", &tokens, positions.into(), "h.0.ln_1", true)?;
        for layer in 0..n_layer {
            let mut context = self.attention(layer, &normed, &shared)?;
            let last = layer + 1 == n_layer;
            // Keys and values of all rows are there; what follows serves the logits alone.
            if let (true, Some(rows)) = (last, &wanted) {
                context = self.graph.node("Gather", "/wanted/context", &[&context, rows], &[]);
                x = self.graph.node("Gather", "/wanted/residual", &[&x, rows], &[]);
            }
            let (block, path) = (format!("h.{layer}"), format!("/h.{layer}"));
            let out = self.linear(&format!("{block}.attn.c_proj"), &context, n_embd, n_embd)?;
            (x, normed) = self.add_norm(&format!("{path}/attn/residual"), &x, out, &format!("{block}.ln_2"), true)?;
            let out = self.mlp(&block, &normed)?;
            let next = if last { "ln_f".to_owned() } else { format!("h.{}.ln_1", layer + 1) };
            (x, normed) = self.add_norm(&format!("{path}/mlp/residual"), &x, out, &next, !last)?;
        }
        self.head(&normed, embedding, logits)
    }

    /// `[rows, width]`: the rows of a table that an input names.
    fn look_up(&mut self, name: &str, table: &str, ids: &str) -> String {
        let flat = self.graph.node("Reshape", &format!("{name}/ids"), &[ids, "flat"], &[]);
        self.graph.node("Gather", name, &[table, &flat], &[])
    }

    /// Logits from the last layer's rows.
    fn head(&mut self, rows: &str, embedding: String, logits: Logits) -> Result<()> {
        use super::graph::Attribute::Int;
        let Gpt2Config { vocab_size, n_embd, .. } = *self.config;
        let head = match self.config.tie_word_embeddings {
            true => embedding,
            false => {
                self.weights.take("lm_head.weight", &[vocab_size, n_embd])?;
                self.graph.weight("lm_head.weight", "lm_head.weight", &[vocab_size, n_embd])
            }
        };
        match logits {
            Logits::Wanted => {
                self.graph.node_with_outputs("Gemm", "/lm_head", &[rows, &head], &["logits"], &[("transB", Int(1))]);
            }
            Logits::All => {
                let flat = self.graph.node("Gemm", "/lm_head", &[rows, &head], &[("transB", Int(1))]);
                let size = self.graph.list("vocabulary", &[vocab_size as i64]);
                let shape = self.graph.node("Concat", "/lm_head/shape", &["/shape", &size], &[("axis", Int(0))]);
                self.graph.node_with_outputs("Reshape", "/lm_head/rows", &[&flat, &shape], &["logits"], &[]);
            }
        }
        Ok(())
    }

    /// A tensor of the checkpoint. In the graph it has the name that Hugging Face's library gives it.
    fn weight(&mut self, name: &str, shape: &[usize]) -> Result<String> {
        let source = format!("{}{name}", self.prefix);
        self.weights.take(&source, shape)?;
        Ok(self.graph.weight(&format!("transformer.{name}"), &source, shape))
    }
}
