//! A decoder of any family as a graph.
//!
//! The tokens of all sequences lie one after the other in one matrix of rows; only attention knows which sequence a row
//! belongs to. So a linear layer is one matrix product however many sequences there are, and rows that nobody wants can
//! be left out. Shapes, masks and the angles of rotations are computed once, for all layers.

mod attention;
mod heads;
mod operations;
mod rotation;
mod rounded;
mod shared;
mod stream;

use super::graph::Attribute::Int;
use super::graph::{Axis, Element, Graph, Source};
use super::options::{ExportOptions, Logits, NumberType, Operators};
use super::rounding::Rounding;
use super::weights::Weights;
use examiner_api::{PluginError, Result};
use examiner_families::{MlpIn, Plan, is_constant};
use rounded::Table;
use shared::Shared;
use stream::Stream;

const BATCH: &str = "batch_size";
const SEQUENCE: &str = "sequence_length";
const PAST: &str = "past_sequence_length";
const TOTAL: &str = "past_sequence_length + sequence_length";
const ROWS: &str = "rows";
const CAPACITY: &str = "capacity";
/// The one length that is the greatest.
const ONE: usize = 1;

/// The graph of a plan; `family` is its name.
///
/// # Errors
/// `BadInput` if a tensor is missing, of another shape or number type, or too many; `BadOptions` for operators that cannot
/// compute the plan.
pub(super) fn graph(
    family: &'static str,
    plan: &Plan,
    weights: &mut Weights,
    options: &ExportOptions,
) -> Result<Graph> {
    let names = &plan.names;
    let prefix = if weights.has_prefix(names.prefix) { names.prefix } else { "" };
    let head = format!("{}.weight", names.head);
    if plan.tied {
        weights.check_tied(&head, &format!("{prefix}{}.weight", names.tokens))?;
    }
    if options.operators == Operators::Grouped {
        check_grouped(plan, options.dtype.number())?;
    }
    let graph = Graph::new(family, options.dtype.number());
    let rounding = options.dtype.rounding();
    let mut builder = Builder { graph, plan, weights, prefix, operators: options.operators, rounding };
    builder.build(options.logits)?;
    let Builder { graph, weights, .. } = builder;
    weights.finish(|name| is_constant(name) || (plan.tied && name == head))?;
    Ok(graph)
}

fn check_grouped(plan: &Plan, dtype: NumberType) -> Result<()> {
    if dtype != NumberType::F32 {
        return Err(PluginError::bad_options("`operators: grouped` is for `dtype: f32`, on a CPU")
            .with_help("write `operators: fused` for a model in 16 bits"));
    }
    // The operator has windows of its own, which have not been held against those of transformers.
    match plan.layers.iter().find_map(|layer| layer.window) {
        None => Ok(()),
        Some(window) => Err(PluginError::bad_options(format!(
            "`operators: grouped` has no sliding windows, and layers of this model see {window} positions"
        ))
        .with_help("write `operators: fused` or `standard`")),
    }
}

/// A graph in the making.
struct Builder<'a> {
    graph: Graph,
    plan: &'a Plan,
    weights: &'a mut Weights,
    /// What names in the checkpoint begin with.
    prefix: &'static str,
    operators: Operators,
    /// How matrices are rounded, where they are.
    rounding: Option<Rounding>,
}

impl Builder<'_> {
    fn build(&mut self, logits: Logits) -> Result<()> {
        let wanted = self.signature(logits);
        let plan = self.plan;
        let names = &plan.names;
        let embedding = self.embeddings()?;
        let shared = self.shared();
        let mut stream = self.embed(&embedding)?;
        for layer in 0..plan.layers.len() {
            let block = format!("{}.{layer}", names.layers);
            let rows = wanted.as_deref().filter(|_| layer + 1 == plan.layers.len());
            stream = self.layer(layer, &block, stream, &shared, rows)?;
        }
        let (_, normed) = self.read(stream, Some(names.norm.to_owned()), false)?;
        self.head(&normed, &embedding, logits)
    }

    /// Declares what goes in and comes out, but for keys and values. Gives the input of rows that are wanted.
    fn signature(&mut self, logits: Logits) -> Option<String> {
        let (graph, any) = (&mut self.graph, Axis::Any);
        graph.input("input_ids", Element::Int64, &[any(BATCH), any(SEQUENCE)]);
        match self.operators {
            Operators::Standard | Operators::Fused => {
                graph.input("attention_mask", Element::Int64, &[any(BATCH), any(TOTAL)]);
            }
            Operators::Grouped => {
                graph.input("seqlens_k", Element::Int32, &[any(BATCH)]);
                graph.input("total_sequence_length", Element::Int32, &[Axis::Size(ONE)]);
            }
        }
        graph.input("position_ids", Element::Int64, &[any(BATCH), any(SEQUENCE)]);
        // The first output is the logits, as in Optimum's exports.
        let vocabulary = Axis::Size(self.plan.vocabulary);
        match logits {
            Logits::All => {
                graph.output("logits", &[any(BATCH), any(SEQUENCE), vocabulary]);
                None
            }
            Logits::Wanted => {
                graph.output("logits", &[any(ROWS), vocabulary]);
                Some(graph.input("logits_rows", Element::Int64, &[any(ROWS)]))
            }
        }
    }

    /// The residual stream before the first layer.
    fn embed(&mut self, embedding: &Table) -> Result<Stream> {
        let plan = self.plan;
        let mut tokens = self.look_up(&path(plan.names.tokens), embedding, "input_ids");
        if plan.embedding_scale != 1.0 {
            let scale = self.graph.number("embedding_scale", plan.embedding_scale);
            tokens = self.graph.node("Mul", "/embeddings/scaled", &[&tokens, &scale], &[]);
        }
        let Some(name) = plan.names.positions else { return Ok(Stream::Ready(tokens)) };
        let positions = self.weight(&format!("{name}.weight"), &[plan.context, plan.width])?;
        let positions = self.look_up(&path(name), &Table::Numbers(positions), "position_ids");
        Ok(Stream::Sum { name: "/embeddings".to_owned(), x: tokens, y: positions.into() })
    }

    /// `[rows, width]`: the rows of a table that an input names.
    fn look_up(&mut self, name: &str, table: &Table, ids: &str) -> String {
        let flat = self.graph.list("flat", &[-1]);
        let flat = self.graph.node("Reshape", &format!("{name}/ids"), &[ids, &flat], &[]);
        match table {
            Table::Numbers(table) => self.graph.node("Gather", name, &[table, &flat], &[]),
            Table::Rounded(parts) => self.rounded_rows(name, parts, &flat),
        }
    }

    /// What a layer makes of the residual stream; after its attention, of the rows in `wanted` alone.
    fn layer(
        &mut self,
        layer: usize,
        block: &str,
        stream: Stream,
        shared: &Shared,
        wanted: Option<&str>,
    ) -> Result<Stream> {
        let plan = self.plan;
        let (names, norms) = (&plan.names, plan.names.norms);
        let named = |part: &str| format!("{block}.{part}");
        let (mut x, mut normed) = self.read(stream, norms.before_attention.map(named), true)?;
        let one_norm = norms.before_mlp == norms.before_attention;
        let mut context = self.attention(layer, block, &normed, shared)?;
        // Keys and values of all rows are there; what follows serves the logits alone.
        if let Some(rows) = wanted {
            let gather = |graph: &mut Graph, what: &str, x: &str| {
                graph.node("Gather", &format!("/wanted/{what}"), &[x, rows], &[])
            };
            context = gather(&mut self.graph, "context", &context);
            x = gather(&mut self.graph, "residual", &x);
            if plan.parallel && norms.before_mlp.is_some() && one_norm {
                normed = gather(&mut self.graph, "normed", &normed);
            }
        }
        let (queries, output) = (plan.heads * plan.head_width, named(names.output));
        let out = self.linear(&output, &context, [queries, plan.width], plan.biases.output)?;
        let attended = self.finished(&path(&output), out, norms.after_attention.map(named))?;
        let at = path(block);
        if !plan.parallel {
            let sum = Stream::Sum { name: format!("{at}/attn/residual"), x, y: attended };
            let (x, normed) = self.read(sum, norms.before_mlp.map(named), true)?;
            let y = self.mlp(block, &normed)?;
            return Ok(Stream::Sum { name: format!("{at}/mlp/residual"), x, y });
        }
        let normed = match norms.before_mlp {
            Some(norm) if !one_norm => self.norm(&named(norm), &x, plan.width)?,
            Some(_) => normed,
            None => x.clone(),
        };
        let hidden = self.mlp(block, &normed)?;
        let (attended, hidden) = (self.biased(attended), self.biased(hidden));
        let both = self.graph.node("Add", &format!("{at}/both"), &[&attended, &hidden], &[]);
        Ok(Stream::Sum { name: format!("{at}/residual"), x, y: both.into() })
    }

    /// Logits from the last layer's rows.
    fn head(&mut self, rows: &str, embedding: &Table, logits: Logits) -> Result<()> {
        let plan = self.plan;
        let (shape, sizes) = ([plan.vocabulary, plan.width], [plan.width, plan.vocabulary]);
        let own = match (plan.tied, self.rounding) {
            (true, _) => None,
            // Its name has no prefix.
            (false, rounding) => {
                let name = format!("{}.weight", plan.names.head);
                Some(match rounding {
                    Some(rounding) => Table::Rounded(self.rounded(name.clone(), &name, sizes, false, rounding)?),
                    None => {
                        self.weights.take(&name, &shape)?;
                        Table::Numbers(self.graph.weight(&name, Source::Tensor(name.clone()), &shape))
                    }
                })
            }
        };
        let mut flat = match own.as_ref().unwrap_or(embedding) {
            Table::Numbers(head) => self.graph.node("Gemm", "/lm_head", &[rows, head], &[("transB", Int(1))]),
            Table::Rounded(parts) => self.rounded_product("/lm_head", rows, parts, sizes),
        };
        if plan.logits_scale != 1.0 {
            let scale = self.graph.number("logits_scale", plan.logits_scale);
            flat = self.graph.node("Mul", "/lm_head/scaled", &[&flat, &scale], &[]);
        }
        if let Some(cap) = plan.logits_softcap {
            flat = self.capped("/lm_head", &flat, cap);
        }
        match logits {
            Logits::Wanted => self.graph.name_last("logits"),
            Logits::All => {
                let size = self.graph.list("vocabulary", &[plan.vocabulary as i64]);
                let shape = self.graph.node("Concat", "/lm_head/shape", &["/shape", &size], &[("axis", Int(0))]);
                self.graph.node_with_outputs("Reshape", "/lm_head/rows", &[&flat, &shape], &["logits"], &[]);
            }
        }
        Ok(())
    }

    /// A tensor of the checkpoint. In the graph it has the name that Hugging Face's library gives it.
    fn weight(&mut self, name: &str, shape: &[usize]) -> Result<String> {
        self.weight_from(name, shape, Source::Tensor)
    }

    fn weight_from(&mut self, name: &str, shape: &[usize], source: impl Fn(String) -> Source) -> Result<String> {
        let (stored, name) = self.names(name);
        self.weights.take(&stored, shape)?;
        Ok(self.graph.weight(&name, source(stored), shape))
    }

    /// What a tensor is called in the checkpoint, and in the graph.
    fn names(&self, name: &str) -> (String, String) {
        (format!("{}{name}", self.prefix), format!("{}{name}", self.plan.names.prefix))
    }

    /// The part of a block that its feed-forward layers are in, as names of nodes have it.
    fn mlp_path(&self, block: &str) -> String {
        let first = match self.plan.names.mlp_in {
            MlpIn::Plain(name) | MlpIn::GatedJoined(name) | MlpIn::Gated([name, _]) => name,
        };
        parent(block, first, "mlp")
    }
}

/// The path of the module that holds a part of a block: `/h.0/attn` for `attn.c_proj` of `h.0`. GGUF files have no modules; `module` is
/// what it is called then.
fn parent(block: &str, part: &str, module: &str) -> String {
    let parent = part.rsplit_once('.').map_or(module, |(parent, _)| parent);
    path(&format!("{block}.{parent}"))
}

/// The name of the node for a part of the model: `/h.0/attn/c_attn` for `h.0.attn.c_attn`.
fn path(name: &str) -> String {
    let mut path = String::from("/");
    for (index, part) in name.split('.').enumerate() {
        // The number of a layer stays with its `h`.
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        path.push_str(match (index, digits) {
            (0, _) => "",
            (_, true) => ".",
            (_, false) => "/",
        });
        path.push_str(part);
    }
    path
}
