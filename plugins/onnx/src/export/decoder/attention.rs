//! Attention with past keys and values.

use super::super::graph::Attribute::{Float, Ints};
use super::heads::Heads;
use super::*;
use examiner_families::{HeadNorms, Qkv};

/// Keys and values of a layer: those that go in, and those that come out.
struct Cache {
    past: [String; 2],
    present: [String; 2],
}

impl Builder<'_> {
    /// What attention gives for each row, before its output layer.
    pub(super) fn attention(&mut self, layer: usize, block: &str, x: &str, shared: &Shared) -> Result<String> {
        let plan = self.plan;
        let cache = self.cache(layer);
        let at = parent(block, plan.names.output, "attn");
        let rotation = plan.layers[layer].rope.filter(|rope| shared.tables[*rope].is_some());
        let as_made = rotation.is_none() && plan.head_norms == HeadNorms::None;
        let context = match (self.operators, plan.names.qkv) {
            (Operators::Grouped, Qkv::Joined(name)) if as_made => {
                let qkv = self.joined(block, name, x)?;
                let qkv = self.biased(qkv);
                let qkv = self.sequences(&Heads::rows(format!("{at}/qkv"), qkv, plan.heads + 2 * plan.kv_heads));
                self.grouped(&at, layer, [&qkv, "", ""], &cache)
            }
            _ => {
                let (parts, bias) = self.queries_keys_values(&at, block, x, as_made && self.is_whole())?;
                let [q, k, v] = self.normalized(block, parts)?;
                let [q, k] = match rotation {
                    Some(rope) => [self.rotated(q, rope, shared), self.rotated(k, rope, shared)],
                    None => [q, k],
                };
                self.attended(&at, layer, ([q, k, v], bias), &cache, shared)
            }
        };
        let size = (plan.heads * plan.head_width) as i64;
        let shape = self.graph.list("rows", &[-1, size]);
        Ok(self.graph.node("Reshape", &format!("{at}/rows"), &[&context, &shape], &[]))
    }

    /// Declares the keys and values of a layer.
    fn cache(&mut self, layer: usize) -> Cache {
        let Plan { kv_heads, head_width, .. } = *self.plan;
        let shape = |total| [Axis::Any(BATCH), Axis::Size(kv_heads), Axis::Any(total), Axis::Size(head_width)];
        let past = ["key", "value"].map(|what| format!("past_key_values.{layer}.{what}"));
        let present = ["key", "value"].map(|what| format!("present.{layer}.{what}"));
        let (there, after) = if self.operators == Operators::Grouped { (CAPACITY, CAPACITY) } else { (PAST, TOTAL) };
        for (past, present) in past.iter().zip(&present) {
            self.graph.input(past, Element::Number, &shape(there));
            self.graph.output(present, &shape(after));
        }
        Cache { past, present }
    }

    /// Whether one of ONNX Runtime's operators does all of attention over copied keys and values.
    fn is_whole(&self) -> bool {
        self.operators == Operators::Fused && self.plan.heads == self.plan.kv_heads && self.plan.softcap.is_none()
    }

    /// Attention over the past and the new keys and values. A bias is still to be added to queries, keys and values.
    fn attended(
        &mut self,
        at: &str,
        layer: usize,
        ([q, k, v], bias): ([Heads; 3], Option<String>),
        cache: &Cache,
        shared: &Shared,
    ) -> String {
        let Plan { heads, ref layers, .. } = *self.plan;
        let Some(mask) = shared.mask(layers[layer].window) else {
            let parts = [q, k, v].each_ref().map(|part| self.sequences(part));
            return self.grouped(at, layer, parts.each_ref().map(String::as_str), cache);
        };
        if !self.is_whole() {
            return self.composed(at, layer, [q, k, v], cache, mask);
        }
        let [q, k, v] = [q, k, v].each_ref().map(|part| self.sequences(part));
        let ([past_key, past_value], [key, value]) = (&cache.past, &cache.present);
        let bias = bias.as_deref().unwrap_or_default();
        let inputs = [q.as_str(), &k, &v, bias, "", mask, past_key, past_value];
        let context = format!("{at}/context");
        let attributes = [("num_heads", Int(heads as i64)), ("scale", Float(layers[layer].scale))];
        let outputs = [context.as_str(), key, value];
        self.graph.node_with_outputs("com.microsoft::MultiHeadAttention", &context, &inputs, &outputs, &attributes);
        context
    }

    /// Attention that adds keys and values where they lie. Queries, keys and values may be together in the first.
    fn grouped(&mut self, at: &str, layer: usize, [q, k, v]: [&str; 3], cache: &Cache) -> String {
        let Plan { heads, kv_heads, softcap, ref layers, .. } = *self.plan;
        let ([past_key, past_value], [key, value]) = (&cache.past, &cache.present);
        let inputs = [q, k, v, past_key, past_value, "seqlens_k", "total_sequence_length"];
        let context = format!("{at}/context");
        let mut attributes = vec![
            ("num_heads", Int(heads as i64)),
            ("kv_num_heads", Int(kv_heads as i64)),
            ("scale", Float(layers[layer].scale)),
        ];
        attributes.extend(softcap.map(|cap| ("softcap", Float(cap))));
        let op = "com.microsoft::GroupQueryAttention";
        self.graph.node_with_outputs(op, &context, &inputs, &[&context, key, value], &attributes);
        context
    }

    /// Attention in standard operators: `[batch_size, sequence_length, heads, width of a head]`. Queries that share keys are
    /// rows of one product, so that no key is copied.
    fn composed(&mut self, at: &str, layer: usize, parts: [Heads; 3], cache: &Cache, mask: &str) -> String {
        let Plan { heads, kv_heads, head_width, softcap, ref layers, .. } = *self.plan;
        let [q, k, v] = parts.each_ref().map(|part| {
            let split = self.split_heads(part);
            let name = format!("{}/by_head", part.name);
            self.graph.node("Transpose", &name, &[&split], &[("perm", Ints(&[0, 2, 1, 3]))])
        });
        let graph = &mut self.graph;
        let [key, value] = &cache.present;
        for (past, new, present) in [(&cache.past[0], k, key), (&cache.past[1], v, value)] {
            let name = format!("{present}/Concat");
            graph.node_with_outputs("Concat", &name, &[past, &new], &[present], &[("axis", Int(2))]);
        }
        let scale = graph.number(&format!("{at}/scale"), layers[layer].scale);
        let mut q = graph.node("Mul", &format!("{at}/q/scaled"), &[&q, &scale], &[]);
        // Where several heads share keys: the same numbers, by heads of keys and by heads of queries.
        let shares = heads != kv_heads;
        let (kv_heads, heads, width) = (kv_heads as i64, heads as i64, head_width as i64);
        if shares {
            let shape = graph.list("by_keys", &[0, kv_heads, -1, width]);
            q = graph.node("Reshape", &format!("{at}/q/by_keys"), &[&q, &shape], &[]);
        }
        let turned = graph.node("Transpose", &format!("{at}/k/turned"), &[key], &[("perm", Ints(&[0, 1, 3, 2]))]);
        let mut scores = graph.node("MatMul", &format!("{at}/scores"), &[&q, &turned], &[]);
        if shares {
            let shape = graph.list("scores_by_queries", &[0, heads, -1, 0]);
            scores = graph.node("Reshape", &format!("{at}/scores/by_queries"), &[&scores, &shape], &[]);
        }
        if let Some(cap) = softcap {
            scores = self.capped(&format!("{at}/scores"), &scores, cap);
        }
        let graph = &mut self.graph;
        let masked = graph.node("Add", &format!("{at}/masked"), &[&scores, mask], &[]);
        let mut weights = graph.node("Softmax", &format!("{at}/softmax"), &[&masked], &[("axis", Int(-1))]);
        if shares {
            let shape = graph.list("scores_by_keys", &[0, kv_heads, -1, 0]);
            weights = graph.node("Reshape", &format!("{at}/softmax/by_keys"), &[&weights, &shape], &[]);
        }
        let mut context = graph.node("MatMul", &format!("{at}/context/heads"), &[&weights, value], &[]);
        if shares {
            let shape = graph.list("by_queries", &[0, heads, -1, width]);
            context = graph.node("Reshape", &format!("{at}/context/by_queries"), &[&context, &shape], &[]);
        }
        graph.node("Transpose", &format!("{at}/context"), &[&context], &[("perm", Ints(&[0, 2, 1, 3]))])
    }
}
