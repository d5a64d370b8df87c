//! The number of edits, where moving words counts as one.

use super::distance::{Distance, Edit};

/// So many words move together at most, so far at most.
const MAX_LENGTH: usize = 10;
const MAX_DISTANCE: usize = 50;
/// So many moves are tried at most.
const MAX_TRIED: usize = 1000;

/// The number of edits of a prediction to a reference: moves that shorten the distance most, as long as one does, and the distance that is left.
pub(super) fn edits(prediction: &[u32], reference: &[u32]) -> i64 {
    if reference.is_empty() {
        return prediction.len() as i64;
    }
    let mut distance = Distance::new(reference);
    let mut words = prediction.to_vec();
    let (mut moves, mut tried) = (0, 0);
    loop {
        let best = best_move(&words, reference, &mut distance, &mut tried);
        match best {
            Some((gain, moved)) if gain > 0 && tried < MAX_TRIED => {
                moves += 1;
                words = moved;
            }
            _ => break,
        }
    }
    moves + distance.of(&words)
}

/// For each word of the reference the word of the prediction before or at it, and which words of both are not kept.
struct Alignment {
    places: Vec<i64>,
    wrong_in_reference: Vec<bool>,
    wrong_in_prediction: Vec<bool>,
}

impl Alignment {
    fn of(edits: &[Edit]) -> Self {
        let mut alignment =
            Alignment { places: Vec::new(), wrong_in_reference: Vec::new(), wrong_in_prediction: Vec::new() };
        for edit in edits {
            let is_wrong = *edit != Edit::Keep;
            if *edit != Edit::Insert {
                alignment.wrong_in_prediction.push(is_wrong);
            }
            if *edit != Edit::Delete {
                alignment.places.push(alignment.wrong_in_prediction.len() as i64 - 1);
                alignment.wrong_in_reference.push(is_wrong);
            }
        }
        alignment
    }
}

/// What a move gains, its length, and its places, negated: the largest is the best.
type Rank = (i64, usize, i64, i64);

/// The move that shortens the distance most, with what it gains; of equals that of most words, then the earliest, then the one to the
/// earliest place.
fn best_move(
    words: &[u32],
    reference: &[u32],
    distance: &mut Distance<'_>,
    tried: &mut usize,
) -> Option<(i64, Vec<u32>)> {
    let (before, edits) = distance.keep(words);
    let alignment = Alignment::of(&edits);
    let mut best: Option<(Rank, Vec<u32>)> = None;
    for (start, wanted, length) in common(words, reference) {
        let is_right = |flags: &[bool], from: usize| flags[from..from + length].iter().all(|wrong| !wrong);
        let aligned = alignment.places[wanted];
        if is_right(&alignment.wrong_in_prediction, start)
            || is_right(&alignment.wrong_in_reference, wanted)
            || (start as i64..(start + length) as i64).contains(&aligned)
        {
            continue;
        }
        let mut last = None;
        for offset in 0..=length {
            // Behind the word that is aligned with the one before.
            let target = match (wanted + offset).checked_sub(1) {
                None => 0,
                Some(place) => match alignment.places.get(place) {
                    Some(aligned) => usize::try_from(aligned + 1).unwrap_or_default(),
                    None => break,
                },
            };
            if last == Some(target) {
                continue;
            }
            last = Some(target);
            let moved = moved(words, start, length, target);
            let rank = (before - distance.of(&moved), length, -(start as i64), -(target as i64));
            *tried += 1;
            if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                best = Some((rank, moved));
            }
        }
        if *tried >= MAX_TRIED {
            break;
        }
    }
    best.map(|((gain, ..), moved)| (gain, moved))
}

/// Words that stand in both, as places in both and a number of words.
fn common<'w>(words: &'w [u32], reference: &'w [u32]) -> impl Iterator<Item = (usize, usize, usize)> + 'w {
    (0..words.len()).flat_map(move |start| {
        (0..reference.len()).filter(move |wanted| wanted.abs_diff(start) <= MAX_DISTANCE).flat_map(move |wanted| {
            let pairs = words[start..].iter().zip(&reference[wanted..]).take(MAX_LENGTH);
            let length = pairs.take_while(|(one, other)| one == other).count();
            (1..=length).map(move |length| (start, wanted, length))
        })
    })
}

/// The words with some of them moved before the word at `target`.
fn moved(words: &[u32], start: usize, length: usize, target: usize) -> Vec<u32> {
    let some = &words[start..start + length];
    if target < start {
        [&words[..target], some, &words[target..start], &words[start + length..]].concat()
    } else if target > start + length {
        [&words[..start], &words[start + length..target], some, &words[target..]].concat()
    } else {
        // Within themselves they go over as many words as lie behind them.
        let end = (length + target).min(words.len());
        [&words[..start], &words[(start + length).min(end)..end], some, &words[end..]].concat()
    }
}
