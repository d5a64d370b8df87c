//! Products with inputs that are rounded to 8 bits.

use super::*;

/// Inputs as whole numbers times scales.
fn rounded(input: &[f32]) -> Vec<f64> {
    let round = |part: &[f32]| {
        let largest = part.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let (scale, inverse) = (f64::from(largest / 127.0), 127.0 / largest);
        part.iter().map(|value| f64::from((value * inverse).round_ties_even()) * scale).collect::<Vec<f64>>()
    };
    input.chunks(32).flat_map(round).collect()
}

#[test]
fn results_are_those_of_the_rounded_numbers_for_any_number_of_rows() {
    let (inputs, outputs) = (1280, 85);
    let input = noise(13 * inputs, 8);
    let numbers = rounded(&input);
    for format in ALL {
        let (layer, bias) = layer_of(&[(format, outputs)], inputs, BlockInputs::Int8, 7);
        let columns = weights(&layer);
        let found = run(&layer, Isa::best(), &input);
        for (row, column) in (0..13).flat_map(|row| (0..outputs).map(move |column| (row, column))) {
            let product = |k: usize| numbers[row * inputs + k] * f64::from(columns[column * inputs + k]);
            let expected = f64::from(bias[column]) + (0..inputs).map(product).sum::<f64>();
            let size = (0..inputs).map(|k| product(k).abs()).sum::<f64>();
            let error = (f64::from(found[row * outputs + column]) - expected).abs() / size;
            assert!(error < 2f64.powi(-20), "{format:?} at {row}, {column}: 2^{}", error.log2());
        }
        for isa in Isa::available() {
            for rows in [0..13, 0..1, 4..5, 3..5, 2..8, 6..13] {
                let part = run(&layer, isa, &input[rows.start * inputs..rows.end * inputs]);
                let expected = &found[rows.start * outputs..rows.end * outputs];
                assert!(bits(&part) == bits(expected), "{format:?} {isa:?} {rows:?}");
            }
        }
    }
}

/// More rows than a task has.
#[test]
fn no_bit_depends_on_where_a_row_is_among_many() {
    let (inputs, outputs, rows) = (256, 130, 125);
    let input = noise(rows * inputs, 8);
    for format in [Q4_0, Q8_0, Q5K, Q6K] {
        let (layer, _) = layer_of(&[(format, outputs)], inputs, BlockInputs::Int8, 7);
        let found = run(&layer, Isa::best(), &input);
        for (row, expected) in input.chunks_exact(inputs).zip(found.chunks_exact(outputs)) {
            assert!(bits(&run(&layer, Isa::best(), row)) == bits(expected), "{format:?}");
        }
        for isa in Isa::available() {
            assert!(bits(&run(&layer, isa, &input)) == bits(&found), "{format:?} {isa:?}");
        }
    }
}

#[test]
fn weights_of_8_bits_are_multiplied_by_rounded_inputs_where_they_fill_blocks() {
    let (outputs, rows) = (75, 9);
    let bias = noise(outputs, 4);
    for inputs in [768, 48] {
        let (weight, input) = (noise(inputs * outputs, 1), noise(rows * inputs, 2));
        let pack = |products| {
            Linear::pack(WeightType::Int8, products, &weight, Order::OutputsFirst, inputs, outputs, Some(&bias))
        };
        let (exact, layer) = (pack(Products::F32), pack(Products::Int8));
        assert_eq!(weights(&exact), weights(&layer), "the same numbers");
        let found = run(&layer, Isa::best(), &input);
        if inputs == 48 {
            assert!(bits(&found) == bits(&run(&exact, Isa::best(), &input)));
            continue;
        }
        let (columns, numbers) = (weights(&exact), rounded(&input));
        for (row, column) in (0..rows).flat_map(|row| (0..outputs).map(move |column| (row, column))) {
            let product = |k: usize| numbers[row * inputs + k] * f64::from(columns[column * inputs + k]);
            let expected = f64::from(bias[column]) + (0..inputs).map(product).sum::<f64>();
            let size = (0..inputs).map(|k| product(k).abs()).sum::<f64>();
            assert!((f64::from(found[row * outputs + column]) - expected).abs() < size * 2f64.powi(-20));
        }
        for isa in Isa::available() {
            assert!(bits(&run(&layer, isa, &input)) == bits(&found), "{isa:?}");
            assert!(bits(&run(&layer, isa, &input[..inputs])) == bits(&found[..outputs]), "{isa:?}");
        }
    }
}

#[test]
fn rounding_costs_little() {
    let (inputs, outputs) = (768, 64);
    let input = noise(3 * inputs, 5);
    for format in ALL {
        let layer = |rounded| layer_of(&[(format, outputs)], inputs, rounded, 3).0;
        let (exact, found) = (layer(BlockInputs::F32), layer(BlockInputs::Int8));
        let (exact, found) = (run(&exact, Isa::best(), &input), run(&found, Isa::best(), &input));
        let size = |values: &[f32]| values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        let difference: Vec<f32> = exact.iter().zip(&found).map(|(a, b)| a - b).collect();
        let error = size(&difference) / size(&exact);
        assert!((1e-4..1e-2).contains(&error), "{format:?}: {error}");
    }
}

#[test]
fn what_is_no_number_shows() {
    let (inputs, outputs) = (512, 70);
    for (format, damage) in ALL.into_iter().flat_map(|format| [f32::NAN, f32::INFINITY].map(|damage| (format, damage)))
    {
        let (layer, _) = layer_of(&[(format, outputs)], inputs, BlockInputs::Int8, 3);
        let mut input = noise(3 * inputs, 5);
        input[inputs + 77] = damage;
        let found = run(&layer, Isa::best(), &input);
        assert!(found[outputs..2 * outputs].iter().all(|value| value.is_nan()), "{format:?}");
        assert!(found[..outputs].iter().chain(&found[2 * outputs..]).all(|value| value.is_finite()));
    }
}

proptest! {
    #![proptest_config(examiner_test_support::cases(24))]

    #[test]
    fn not_a_bit_depends_on_what_is_beside_it((rows, pieces, inputs, seed) in shapes()) {
        let input = noise(rows * inputs, seed + 3);
        let (layer, bias) = layer_of(&pieces, inputs, BlockInputs::Int8, seed);
        let found = run(&layer, Isa::best(), &input);
        for isa in Isa::available() {
            prop_assert!(bits(&run(&layer, isa, &input)) == bits(&found), "{:?} {:?}", pieces, isa);
        }
        // Each row and each piece by itself.
        let outputs = layer.outputs();
        for (row, expected) in input.chunks_exact(inputs).zip(found.chunks_exact(outputs)) {
            prop_assert!(bits(&run(&layer, Isa::best(), row)) == bits(expected));
        }
        let mut first = 0;
        for &(format, count) in &pieces {
            let bytes = rows_of_blocks(format, count, inputs, seed);
            let blocks = Blocks { format, bytes: &bytes, outputs: count };
            let alone = Linear::pack_blocks(&[blocks], inputs, BlockInputs::Int8, Some(&bias[first..first + count]));
            let alone = run(&alone, Isa::best(), &input);
            for (alone, all) in alone.chunks_exact(count).zip(found.chunks_exact(outputs)) {
                prop_assert!(bits(alone) == bits(&all[first..first + count]));
            }
            first += count;
        }
    }
}
