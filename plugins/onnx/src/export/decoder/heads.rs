//! Queries, keys and values of all heads, up to their rotation.

use super::stream::Unbiased;
use super::*;
use examiner_families::{HeadNorms, Qkv};

/// Queries, keys or values: for each token so many heads.
pub(super) struct Heads {
    /// What names of nodes begin with: `/h.0/attn/q`.
    pub(super) name: String,
    pub(super) value: String,
    pub(super) count: usize,
    pub(super) shape: HeadsShape,
}

/// Shapes that hold the same numbers in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadsShape {
    /// `[rows, heads · width]`.
    Rows,
    /// `[batch_size, sequence_length, heads · width]`.
    Sequences,
    /// `[batch_size, sequence_length, heads, width]`.
    Heads,
}

impl Heads {
    pub(super) fn rows(name: String, value: String, count: usize) -> Self {
        Heads { name, value, count, shape: HeadsShape::Rows }
    }
}

impl Builder<'_> {
    /// Queries, keys and values of all rows, and what bias is still to be added to them, where it may be left.
    pub(super) fn queries_keys_values(
        &mut self,
        at: &str,
        block: &str,
        x: &str,
        may_leave_bias: bool,
    ) -> Result<([Heads; 3], Option<String>)> {
        let plan = self.plan;
        let counts = [plan.heads, plan.kv_heads, plan.kv_heads];
        let sizes = counts.map(|count| count * plan.head_width);
        let names = ["q", "k", "v"].map(|part| format!("{at}/{part}"));
        let mut left = None;
        let values = match plan.names.qkv {
            Qkv::Apart([q, k, v]) | Qkv::Interleaved([q, k, v]) => {
                if matches!(plan.names.qkv, Qkv::Interleaved(_)) {
                    for (name, end) in [(q, "weight"), (q, "bias"), (k, "weight"), (k, "bias")] {
                        let (stored, _) = self.names(&format!("{block}.{name}.{end}"));
                        self.weights.put_pairs_apart(&stored, plan.head_width);
                    }
                }
                let mut part = |name: &str, size: usize| {
                    let made = self.linear(&format!("{block}.{name}"), x, [plan.width, size], plan.biases.qkv)?;
                    Ok::<_, PluginError>(self.biased(made))
                };
                [part(q, sizes[0])?, part(k, sizes[1])?, part(v, sizes[2])?]
            }
            Qkv::Joined(part) => {
                let Unbiased { mut value, mut bias } = self.joined(block, part, x)?;
                if may_leave_bias {
                    left = bias.take();
                }
                value = self.biased(Unbiased { value, bias });
                self.split(at, &value, sizes, -1, names.clone())
            }
            Qkv::HeadByHead(part) => {
                let qkv = self.joined(block, part, x)?;
                let qkv = self.biased(qkv);
                let queries = plan.heads / plan.kv_heads;
                let shape = [-1, plan.kv_heads as i64, queries as i64 + 2, plan.head_width as i64];
                let shape = self.graph.list("groups", &shape);
                let qkv = self.graph.node("Reshape", &format!("{at}/groups"), &[&qkv, &shape], &[]);
                let parts = names.each_ref().map(|name| format!("{name}/groups"));
                let parts = self.split(at, &qkv, [queries, 1, 1], 2, parts);
                let mut rows = |part: usize| {
                    let size = sizes[part] as i64;
                    let shape = self.graph.list(&format!("rows.{size}"), &[-1, size]);
                    self.graph.node("Reshape", &names[part], &[&parts[part], &shape], &[])
                };
                [rows(0), rows(1), rows(2)]
            }
        };
        let ([q, k, v], [q_name, k_name, v_name]) = (values, names);
        let heads =
            [Heads::rows(q_name, q, counts[0]), Heads::rows(k_name, k, counts[1]), Heads::rows(v_name, v, counts[2])];
        Ok((heads, left))
    }

    /// Rows of one matrix of queries, keys and values.
    pub(super) fn joined(&mut self, block: &str, part: &str, x: &str) -> Result<Unbiased> {
        let plan = self.plan;
        let outputs = (plan.heads + 2 * plan.kv_heads) * plan.head_width;
        self.linear(&format!("{block}.{part}"), x, [plan.width, outputs], plan.biases.qkv)
    }

    fn split(&mut self, at: &str, x: &str, sizes: [usize; 3], axis: i64, names: [String; 3]) -> [String; 3] {
        let sizes = self.graph.list("qkv", &sizes.map(|size| size as i64));
        let outputs = names.each_ref().map(String::as_str);
        self.graph.node_with_outputs("Split", &format!("{at}/split"), &[x, &sizes], &outputs, &[("axis", Int(axis))]);
        names
    }

    /// The norms of queries and keys.
    pub(super) fn normalized(&mut self, block: &str, [q, k, v]: [Heads; 3]) -> Result<[Heads; 3]> {
        let plan = self.plan;
        let mut norm = |heads: Heads, name: &str| {
            let name = format!("{block}.{name}");
            Ok::<_, PluginError>(match plan.head_norms {
                HeadNorms::None => heads,
                HeadNorms::All => {
                    let value = self.norm(&name, &heads.value, heads.count * plan.head_width)?;
                    Heads { value, ..heads }
                }
                HeadNorms::Each => {
                    let value = self.split_heads(&heads);
                    let value = self.norm(&name, &value, plan.head_width)?;
                    Heads { value, shape: HeadsShape::Heads, ..heads }
                }
            })
        };
        let [of_queries, of_keys] = plan.names.head_norms;
        Ok([norm(q, of_queries)?, norm(k, of_keys)?, v])
    }

    /// `[batch_size, sequence_length, heads, width]`.
    pub(super) fn split_heads(&mut self, heads: &Heads) -> String {
        let size = [heads.count as i64, self.plan.head_width as i64];
        self.shaped(heads, HeadsShape::Heads, "by_token", &size)
    }

    /// `[batch_size, sequence_length, heads · width]`.
    pub(super) fn sequences(&mut self, heads: &Heads) -> String {
        let size = (heads.count * self.plan.head_width) as i64;
        self.shaped(heads, HeadsShape::Sequences, "sequences", &[size])
    }

    fn shaped(&mut self, heads: &Heads, shape: HeadsShape, what: &str, sizes: &[i64]) -> String {
        if heads.shape == shape {
            return heads.value.clone();
        }
        let name = format!("/shape/{what}.{}", heads.count);
        if !self.graph.has_node(&name) {
            let sizes = self.graph.list(&format!("{what}.{}", heads.count), sizes);
            self.graph.node("Concat", &name, &["/shape", &sizes], &[("axis", Int(0))]);
        }
        self.graph.node("Reshape", &format!("{}/{what}", heads.value), &[&heads.value, &name], &[])
    }
}
