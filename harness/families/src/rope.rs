//! Rotary positions: by what angle a pair of values turns from one position to the next.
//!
//! Frequencies are computed in `f64` and rounded to `f32`, and multiplied with the position in `f32`, as the code does that
//! these models were trained with; cosine and sine are those of that product in `f64`, rounded once. So what a position
//! is rotated by depends on the position alone.

use crate::config::Config;
use examiner_api::Result;
use rayon::prelude::*;
use std::f64::consts::PI;

/// The values of `rope_type`.
const TYPES: &str = "default, linear, dynamic, llama3, yarn, longrope";

/// The part of a head that is rotated.
const PARTIAL: &str = "partial_rotary_factor";

/// No head has as many values as this.
const HEAD_LIMIT: usize = 1 << 16;

/// A rotation of queries and keys.
#[derive(Debug, Clone)]
pub struct Rope {
    /// The angle of each pair of values at position 1.
    frequencies: Vec<f32>,
    /// What cosines and sines are multiplied by.
    factor: f32,
    /// Positions from there on would be rotated otherwise, and with them those before.
    pub(crate) context: Option<usize>,
}

/// Where a family keeps its rotation, and its defaults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The object within `rope_parameters` that is meant, where there is one for each kind of layer.
    pub(crate) layer_type: &'a str,
    /// The name that the frequency's base has outside `rope_parameters`.
    pub(crate) theta: &'a str,
    pub(crate) default_theta: f64,
    /// The name that the rotated part of a head has outside `rope_parameters`, and its default; none in families that
    /// rotate whole heads.
    pub(crate) partial: Option<(&'a str, f64)>,
    /// Whether `rope_scaling` applies.
    pub(crate) scaled: bool,
}

impl Source<'_> {
    /// Where nearly all families have it.
    pub(crate) const USUAL: Source<'static> = Source {
        layer_type: "full_attention",
        theta: "rope_theta",
        default_theta: 10_000.0,
        partial: None,
        scaled: true,
    };
}

impl Rope {
    /// Reads `rope_parameters`, or as older files have it, `rope_scaling` and `rope_theta`.
    ///
    /// # Errors
    /// `Unsupported` for a `rope_type` that is not known, `BadInput` for one that lacks a number.
    pub(crate) fn read(config: &Config<'_>, head_width: usize, source: Source<'_>) -> Result<Rope> {
        let parameters = match config.inside("rope_parameters")? {
            Some(all) => all.inside(source.layer_type)?.or(Some(all)),
            None if source.scaled => config.inside("rope_scaling")?,
            None => None,
        };
        let in_either = |inner: &str, outer: &str| -> Result<Option<f64>> {
            match parameters.map(|parameters| parameters.number(inner)).transpose()?.flatten() {
                Some(found) => Ok(Some(found)),
                None => config.number(outer),
            }
        };
        let theta = in_either("rope_theta", source.theta)?.unwrap_or(source.default_theta);
        let kind = match parameters {
            Some(parameters) => parameters.text("rope_type")?.or(parameters.text("type")?).unwrap_or("default"),
            None => "default",
        };
        let partial = match source.partial {
            Some((name, default)) => in_either(PARTIAL, name)?.unwrap_or(default),
            None => whole_heads(config, kind, in_either(PARTIAL, PARTIAL)?)?,
        };
        if head_width >= HEAD_LIMIT {
            return Err(config.wrong(format!("a head has {head_width} values; expected fewer than {HEAD_LIMIT}")));
        }
        let rotated = (head_width as f64 * partial) as usize;
        if !rotated.is_multiple_of(2) || rotated > head_width {
            return Err(config.unsupported(format!(
                "{rotated} of {head_width} values of a head would be rotated; expected an even number, and no more than there are"
            )));
        }
        let plain: Vec<f64> = (0..rotated / 2).map(|i| theta.powf(-(2.0 * i as f64) / rotated as f64)).collect();
        let rope = |frequencies: Vec<f64>, factor: f64, context| Rope {
            frequencies: frequencies.into_iter().map(|frequency| frequency as f32).collect(),
            factor: factor as f32,
            context,
        };
        let Some(parameters) = parameters.filter(|_| kind != "default") else { return Ok(rope(plain, 1.0, None)) };
        let context = config.needed_size("max_position_embeddings")?;
        let original = match config.size("original_max_position_embeddings")? {
            Some(original) => original,
            None => parameters.size("original_max_position_embeddings")?.unwrap_or(context),
        };
        Ok(match kind {
            "linear" => {
                let factor = parameters.needed_number("factor")?;
                rope(plain.iter().map(|frequency| frequency / factor).collect(), 1.0, None)
            }
            // Frequencies change with the length of the sequence, but not before it is longer than the context.
            "dynamic" => rope(plain, 1.0, None),
            "llama3" => rope(llama3(&parameters, &plain, original as f64)?, 1.0, None),
            "yarn" if config.model_type() != "phi3" => {
                let (frequencies, factor) = yarn(&parameters, &plain, theta, rotated, context as f64, original as f64)?;
                rope(frequencies, factor, None)
            }
            "longrope" | "su" | "yarn" => {
                let (frequencies, factor) = longrope(&parameters, &plain, context as f64, original as f64)?;
                rope(frequencies, factor, Some(original))
            }
            other => {
                return Err(config.unsupported(format!("`rope_type: {other}` is not supported; these are: {TYPES}")));
            }
        })
    }

    /// Divides the frequencies, each by its own factor.
    pub fn divide(&mut self, factors: &[f32]) {
        self.frequencies.iter_mut().zip(factors).for_each(|(frequency, factor)| *frequency /= factor);
    }

    /// How many values of a head are rotated.
    pub fn rotated(&self) -> usize {
        2 * self.frequencies.len()
    }

    /// Cosines and then sines for each of the positions.
    pub fn angles(&self, positions: &[u32]) -> Vec<f32> {
        let pairs = self.frequencies.len();
        let mut angles = vec![0.0; positions.len() * 2 * pairs];
        if pairs == 0 {
            return angles;
        }
        angles.par_chunks_mut(2 * pairs).zip(positions).for_each(|(row, &position)| {
            let (cosines, sines) = row.split_at_mut(pairs);
            for ((cosine, sine), frequency) in cosines.iter_mut().zip(sines).zip(&self.frequencies) {
                let angle = f64::from(position as f32 * frequency);
                *cosine = angle.cos() as f32 * self.factor;
                *sine = angle.sin() as f32 * self.factor;
            }
        });
        angles
    }
}

/// The part of a head that is rotated in a family that rotates all of it: transformers does not read the factor there, unless
/// the rotation is scaled, and then it fails.
fn whole_heads(config: &Config<'_>, kind: &str, factor: Option<f64>) -> Result<f64> {
    match factor.filter(|factor| *factor != 1.0 && kind != "default") {
        None => Ok(1.0),
        Some(factor) => Err(config.unsupported(format!(
            "`{PARTIAL}: {factor}` with `rope_type: {kind}`; models of this family rotate whole heads"
        ))),
    }
}

/// Llama 3.1's: long waves are stretched by `factor`, short ones are left, those between pass from one to the other.
fn llama3(parameters: &Config<'_>, plain: &[f64], original: f64) -> Result<Vec<f64>> {
    let factor = parameters.needed_number("factor")?;
    let low = parameters.needed_number("low_freq_factor")?;
    let high = parameters.needed_number("high_freq_factor")?;
    let scaled = |&frequency: &f64| {
        let length = 2.0 * PI / frequency;
        if length < original / high {
            frequency
        } else if length > original / low {
            frequency / factor
        } else {
            let share = (original / length - low) / (high - low);
            (1.0 - share) * frequency / factor + share * frequency
        }
    };
    Ok(plain.iter().map(scaled).collect())
}

/// YaRN (arXiv:2309.00071): as above, by how often a wave turns within the context of the training; the attention's
/// temperature goes into cosines and sines.
fn yarn(
    parameters: &Config<'_>,
    plain: &[f64],
    theta: f64,
    rotated: usize,
    context: f64,
    original: f64,
) -> Result<(Vec<f64>, f64)> {
    let factor = parameters.number("factor")?.unwrap_or(context / original);
    let temperature = |scale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 };
    let of = |name: &str| Ok::<_, examiner_api::PluginError>(parameters.number(name)?.filter(|number| *number != 0.0));
    let attention = match (parameters.number("attention_factor")?, of("mscale")?, of("mscale_all_dim")?) {
        (Some(factor), _, _) => factor,
        (None, Some(one), Some(all)) => temperature(one) / temperature(all),
        _ => temperature(1.0),
    };
    // The pair of values that turns so often within the context.
    let pair = |turns: f64| rotated as f64 * (original / (turns * 2.0 * PI)).ln() / (2.0 * theta.ln());
    let (mut low, mut high) = (pair(of("beta_fast")?.unwrap_or(32.0)), pair(of("beta_slow")?.unwrap_or(1.0)));
    if parameters.flag("truncate", true)? {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, mut high) = (low.max(0.0), high.min(rotated as f64 - 1.0));
    if low == high {
        high += 0.001;
    }
    let scaled = |(index, &frequency): (usize, &f64)| {
        let stretched = ((index as f64 - low) / (high - low)).clamp(0.0, 1.0);
        frequency / factor * stretched + frequency * (1.0 - stretched)
    };
    Ok((plain.iter().enumerate().map(scaled).collect(), attention))
}

/// LongRoPE's short factors, which hold for sequences up to the original context; a longer one would be rotated by the
/// long factors from its first token on, which no cache of a prefix survives.
fn longrope(parameters: &Config<'_>, plain: &[f64], context: f64, original: f64) -> Result<(Vec<f64>, f64)> {
    let short = parameters.numbers("short_factor")?.unwrap_or_default();
    if short.len() != plain.len() {
        return Err(parameters.wrong(format!(
            "`short_factor` must be {} numbers, one for each pair of a head, found {}",
            plain.len(),
            short.len()
        )));
    }
    let factor = parameters.number("factor")?.unwrap_or(context / original);
    let attention = match parameters.number("attention_factor")? {
        Some(factor) => factor,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + factor.ln() / original.ln()).sqrt(),
    };
    Ok((plain.iter().zip(&short).map(|(frequency, factor)| frequency / factor).collect(), attention))
}
