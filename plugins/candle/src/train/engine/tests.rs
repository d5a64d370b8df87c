//! The written-out passes against candle's automatic differentiation, and against differences of losses.

use super::*;
use candle_core::{DType, Device};
use examiner_kernels::Isa;
use serde_json::{Value, json};

fn parts(changes: Value) -> Parts {
    let mut config = json!({ "vocab_size": 37, "n_positions": 150, "n_embd": 24, "n_layer": 2, "n_head": 3 });
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let config = Gpt2Config::read(&config, "config.json".as_ref()).unwrap();
    let layout = Layout::new(&config);
    // Larger than at the start of a training, so that nothing is nearly linear.
    let weights = layout.initial(3).into_iter().map(|weight| if weight == 1.0 { 0.8 } else { weight * 12.0 });
    let weights = weights.enumerate().map(|(index, weight)| weight + 0.01 * (index % 7) as f32);
    Parts { state: State::new(weights.collect()), config, layout }
}

fn rows() -> Vec<(Vec<u32>, usize)> {
    let row = |length: u32, first_label| ((0..length).map(|i| (i * i + 3 * i + length) % 37).collect(), first_label);
    vec![row(9, 4), row(140, 70), row(2, 1), row(65, 1), row(64, 63)]
}

fn batch(rows: &[(Vec<u32>, usize)]) -> Batch {
    let mut batch = Batch::default();
    rows.iter().for_each(|(row, first_label)| batch.push(row, *first_label));
    batch
}

fn state_of(engine: &dyn Engine) -> State {
    let mut found = None;
    let keep = &mut |state: &State| {
        found = Some(state.clone());
        Ok(())
    };
    engine.with_state(keep).unwrap();
    found.unwrap()
}

/// Largest difference, relative to the largest value.
fn difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().fold(0.0f32, |largest, a| largest.max(a.abs()));
    f64::from(a.iter().zip(b).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs())) / largest)
}

#[test]
fn a_batch_is_inputs_and_what_follows_them() {
    let batch = batch(&[(vec![5, 6, 7], 1), (vec![8, 9, 10, 11], 3)]);
    assert_eq!((batch.tokens.clone(), batch.spans.clone()), (vec![5, 6, 8, 9, 10], vec![0..2, 2..5]));
    assert_eq!((batch.label_indices.clone(), batch.labels.clone()), (vec![0, 1, 4], vec![6, 7, 11]));
    assert_eq!(batch.positions().collect::<Vec<_>>(), [0, 1, 0, 1, 2]);
}

#[test]
fn gradients_agree_with_automatic_differentiation() {
    for changes in [
        json!({}),
        json!({ "tie_word_embeddings": false, "activation_function": "gelu" }),
        json!({ "activation_function": "relu", "n_inner": 37, "n_layer": 1 }),
        json!({ "activation_function": "silu", "scale_attn_by_inverse_layer_idx": true, "n_head": 1 }),
    ] {
        let mut fused = Fused::new(Isa::best(), parts(changes.clone()));
        let mut composed = Composed::new(parts(changes.clone()), Device::Cpu, DType::F32).unwrap();
        let rows = rows();
        for rows in [&rows[..], &rows[3..4]] {
            let batch = batch(rows);
            let (ours, theirs) = (fused.accumulate(&batch, 0.25).unwrap(), composed.accumulate(&batch, 0.25).unwrap());
            assert!((ours - theirs).abs() < 1e-5 * theirs, "{changes}: {ours}, not {theirs}");
            let alone = fused.loss(&batch).unwrap();
            assert!((alone - ours).abs() < 1e-12 * ours, "a loss without gradient: {alone}, {ours}");
            let worst = difference(&composed.gradients(), fused.gradients());
            assert!(worst < 2e-5, "{changes}: gradients are off by {worst}");
        }
    }
}

#[test]
fn gradients_are_slopes_of_the_loss() {
    let batch = batch(&rows()[..3]);
    let mut fused = Fused::new(Isa::best(), parts(json!({})));
    fused.accumulate(&batch, 1.0).unwrap();
    let gradients = fused.gradients().to_vec();
    let layout = parts(json!({})).layout;
    for parameter in &layout.parameters {
        // Along the gradient of a single parameter, so that the difference stands out from rounding.
        let slope: f64 =
            gradients[parameter.range.clone()].iter().map(|slope| f64::from(*slope).powi(2)).sum::<f64>().sqrt();
        let loss_at = |distance: f64| {
            let mut parts = parts(json!({}));
            let weights = parts.state.weights[parameter.range.clone()].iter_mut();
            for (weight, gradient) in weights.zip(&gradients[parameter.range.clone()]) {
                *weight += (distance * f64::from(*gradient) / slope) as f32;
            }
            Fused::new(Isa::best(), parts).loss(&batch).unwrap()
        };
        let distance = 0.01;
        let found = (loss_at(distance) - loss_at(-distance)) / (2.0 * distance);
        assert!((found - slope).abs() < 0.02 * slope, "{}: {found}, not {slope}", parameter.name);
    }
}

#[test]
fn both_engines_take_the_same_steps() {
    let mut fused = Fused::new(Isa::best(), parts(json!({})));
    let mut composed = Composed::new(parts(json!({})), Device::Cpu, DType::F32).unwrap();
    for step in 1..=5 {
        let batch = batch(&rows());
        let update =
            Update { learning_rate: 1e-3, betas: [0.9, 0.95], epsilon: 1e-8, weight_decay: 0.1, clip: 1.0, step };
        let scale = 1.0 / batch.labels.len() as f32;
        let run = |engine: &mut dyn Engine| (engine.accumulate(&batch, scale).unwrap(), engine.step(&update).unwrap());
        let (ours, theirs) = (run(&mut fused), run(&mut composed));
        assert!((ours.0 - theirs.0).abs() < 1e-4 * theirs.0, "{ours:?}, not {theirs:?}");
        assert!((ours.1 - theirs.1).abs() < 1e-3 * theirs.1, "{ours:?}, not {theirs:?}");
    }
    let mut states = Vec::new();
    for engine in [&fused as &dyn Engine, &composed] {
        states.push(state_of(engine));
    }
    assert!(difference(&states[0].weights, &states[1].weights) < 1e-3);
    assert!(difference(&states[0].second, &states[1].second) < 1e-3);
}

#[test]
fn the_same_call_gives_the_same_bits_on_any_number_of_threads() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut fused = Fused::new(Isa::best(), parts(json!({ "n_embd": 192, "vocab_size": 400 })));
        let loss = pool.install(|| fused.accumulate(&batch(&rows()), 1.0).unwrap());
        (loss.to_bits(), fused.gradients().iter().map(|gradient| gradient.to_bits()).collect::<Vec<_>>())
    };
    let first = run(2);
    for threads in [2, 1, 3] {
        assert!(run(threads) == first, "{threads} threads");
    }
}

/// Half precision stands for the `bf16` of a GPU: candle's products on the CPU do not know the latter.
#[test]
fn products_in_half_precision_give_nearly_the_same_gradients() {
    let of = |dtype| {
        let mut composed = Composed::new(parts(json!({})), Device::Cpu, dtype).unwrap();
        let loss = composed.accumulate(&batch(&rows()), 0.01).unwrap();
        (loss, composed.gradients())
    };
    let (exact, half) = (of(DType::F32), of(DType::F16));
    assert!((exact.0 - half.0).abs() < 1e-3 * exact.0, "{} {}", exact.0, half.0);
    let off = difference(&exact.1, &half.1);
    assert!(off > 0.0 && off < 0.02, "{off}");
}

#[test]
fn a_gradient_that_is_no_number_moves_nothing() {
    let mut bad = parts(json!({}));
    bad.state.weights[5] = f32::NAN;
    let before: Vec<u32> = bad.state.weights.iter().map(|weight| weight.to_bits()).collect();
    let mut fused = Fused::new(Isa::best(), bad);
    assert!(fused.accumulate(&batch(&rows()), 1.0).unwrap().is_nan());
    let update =
        Update { learning_rate: 1e-3, betas: [0.9, 0.95], epsilon: 1e-8, weight_decay: 0.1, clip: 1.0, step: 1 };
    assert!(fused.step(&update).unwrap().is_nan());
    let after: Vec<u32> = state_of(&fused).weights.iter().map(|weight| weight.to_bits()).collect();
    assert_eq!(after, before);
}
