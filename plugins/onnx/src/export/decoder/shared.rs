//! What is the same for all layers: shapes, masks, and the angles of rotations.

use super::*;
use crate::proto::data_type;
use std::collections::BTreeMap;

/// Values that all layers share.
pub(super) struct Shared {
    /// By window: `[batch_size, 1, sequence_length, past_sequence_length + sequence_length]`: 0 where a token sees another,
    /// else a number that leaves nothing of any score. Empty where the operator takes lengths instead.
    masks: BTreeMap<Option<usize>, String>,
    /// Of each rotation its tables of cosines and sines; none for one that turns nothing.
    pub(super) tables: Vec<Option<[String; 2]>>,
    /// The rows of these tables at the positions of the tokens: `[batch_size, sequence_length, 1, pairs]`. Empty where the
    /// operator looks them up.
    pub(super) angles: Vec<Option<[String; 2]>>,
}

impl Shared {
    /// The mask of a layer.
    pub(super) fn mask(&self, window: Option<usize>) -> Option<&str> {
        self.masks.get(&window).map(String::as_str)
    }
}

impl Builder<'_> {
    /// Adds what all layers share.
    pub(super) fn shared(&mut self) -> Shared {
        self.graph.node("Shape", "/shape", &["input_ids"], &[]);
        let masks = match self.operators {
            Operators::Standard | Operators::Fused => self.masks(),
            Operators::Grouped => BTreeMap::new(),
        };
        let tables = self.tables();
        let angles = match self.operators {
            Operators::Standard => self.angles(&tables),
            Operators::Fused | Operators::Grouped => Vec::new(),
        };
        Shared { masks, tables, angles }
    }

    /// A token sees itself and those before it, of which the attention mask holds no 0, as far as the window reaches. What is
    /// before counts past and new tokens, whatever `position_ids` holds; a window counts those that are no padding, wherever
    /// that stands.
    fn masks(&mut self) -> BTreeMap<Option<usize>, String> {
        let windows: BTreeMap<_, _> = self.plan.layers.iter().map(|layer| (layer.window, String::new())).collect();
        let graph = &mut self.graph;
        let zero = graph.integer("zero", 0);
        let one = graph.integer("one", 1);
        let last = graph.list("last", &[-1]);
        let mask_shape = graph.node("Shape", "/mask/shape", &["attention_mask"], &[]);
        let new = graph.node("Gather", "/mask/new", &["/shape", &one], &[]);
        let total = graph.node("Gather", "/mask/total", &[&mask_shape, &one], &[]);
        let past = graph.node("Sub", "/mask/past", &[&total, &new], &[]);
        let keys = graph.node("Range", "/mask/keys", &[&zero, &total, &one], &[]);
        let queries = graph.node("Range", "/mask/queries", &[&past, &total, &one], &[]);
        let column = graph.node("Unsqueeze", "/mask/queries/column", &[&queries, &last], &[]);
        let before = graph.node("LessOrEqual", "/mask/before", &[&keys, &column], &[]);
        let there = graph.node("Cast", "/mask/there", &["attention_mask"], &[("to", Int(data_type::BOOL.into()))]);
        let middle = graph.list("middle", &[1, 2]);
        let there = graph.node("Unsqueeze", "/mask/there/rows", &[&there, &middle], &[]);
        let [counted_keys, counted_queries] = match windows.keys().any(Option::is_some) {
            false => [String::new(), String::new()],
            true => {
                let counted = graph.node("CumSum", "/mask/counted", &["attention_mask", &one], &[]);
                let keys = graph.node("Unsqueeze", "/mask/counted/keys", &[&counted, &middle], &[]);
                let new = graph.node("Gather", "/mask/counted/new", &[&counted, &queries], &[("axis", Int(1))]);
                let outer = graph.list("outer", &[1, 3]);
                [keys, graph.node("Unsqueeze", "/mask/counted/queries", &[&new, &outer], &[])]
            }
        };
        let seen = graph.node("And", "/mask/seen", &[&there, &before], &[]);
        // Finite: a row of padding that sees nothing then has an average of what it does not see, and no NaN.
        let hidden = match graph.dtype() {
            NumberType::F32 => -1e9,
            NumberType::F16 => -3e4,
        };
        let (shown, hidden) = (graph.number("shown", 0.0), graph.number("hidden", hidden));
        let mask = |(window, _): (Option<usize>, String)| {
            let (name, seen) = match window {
                None => ("/mask".to_owned(), seen.clone()),
                Some(window) => {
                    let name = format!("/mask/window.{window}");
                    let width = graph.integer(&format!("window.{window}"), window as i64);
                    let out = graph.node("Sub", &format!("{name}/out"), &[&counted_queries, &width], &[]);
                    let near = graph.node("Less", &format!("{name}/near"), &[&out, &counted_keys], &[]);
                    let seen = graph.node("And", &format!("{name}/seen"), &[&seen, &near], &[]);
                    (name, seen)
                }
            };
            (window, graph.node("Where", &name, &[&seen, &shown, &hidden], &[]))
        };
        windows.into_iter().map(mask).collect()
    }

    /// The tables of the rotations that some layer refers to.
    fn tables(&mut self) -> Vec<Option<[String; 2]>> {
        let plan = self.plan;
        let mut tables = Vec::with_capacity(plan.ropes.len());
        for (index, rope) in plan.ropes.iter().enumerate() {
            let is_used = rope.rotated() > 0 && plan.layers.iter().any(|layer| layer.rope == Some(index));
            let shape = [plan.context, rope.rotated() / 2];
            let sources = [("cos", Source::Cosines(rope.clone())), ("sin", Source::Sines(rope.clone()))];
            tables.push(is_used.then(|| {
                sources.map(|(name, source)| self.graph.weight(&format!("rotary.{index}.{name}"), source, &shape))
            }));
        }
        tables
    }

    /// The rows of each table at the positions of the tokens.
    fn angles(&mut self, tables: &[Option<[String; 2]>]) -> Vec<Option<[String; 2]>> {
        let graph = &mut self.graph;
        let mut rows = |table: &String| {
            let axis = graph.list("heads", &[2]);
            let rows = graph.node("Gather", &format!("/{table}/rows"), &[table, "position_ids"], &[]);
            graph.node("Unsqueeze", &format!("/{table}"), &[&rows, &axis], &[])
        };
        tables.iter().map(|tables| tables.as_ref().map(|tables| tables.each_ref().map(&mut rows))).collect()
    }
}
