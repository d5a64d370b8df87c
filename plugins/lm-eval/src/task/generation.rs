//! How answers are generated: `generation_kwargs` as lm-evaluation-harness makes them alike for every model.

use super::setting::Refused;
use crate::Setting;
use examiner_api::Sampling;
use serde_json::Value as Json;

/// New tokens where a task names no number.
const MAX_NEW_TOKENS: u32 = 256;

/// The names of the number of new tokens; the first that is there counts.
const LIMITS: [&str; 4] = ["max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"];

/// What a request asks for that lm-evaluation-harness has made.
pub(crate) fn of_request(kwargs: &Json) -> Result<Sampling, Refused> {
    sampling(Some(&Setting::of_json(kwargs)), None)
}

/// What a task's `generation_kwargs` ask for. Where they do not say where an answer ends, it does at `separator`, which is what stands
/// between few-shot examples.
pub(super) fn sampling(kwargs: Option<&Setting>, separator: Option<&str>) -> Result<Sampling, Refused> {
    let entries = match kwargs {
        None => &[][..],
        Some(setting) => setting.as_map().ok_or_else(|| format!("{} as `generation_kwargs`", setting.kind()))?,
    };
    let get = |name: &str| entries.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
    let mut sampling = Sampling { stop: separator.map(str::to_owned).into_iter().collect(), ..Sampling::default() };
    if let Some(until) = get("until") {
        let items = until.as_list().unwrap_or(std::slice::from_ref(until));
        let stop = |item: &Setting| {
            item.as_text()
                .map(str::to_owned)
                .ok_or_else(|| format!("{} in `until` of `generation_kwargs`", item.kind()))
        };
        sampling.stop = items.iter().map(stop).collect::<Result<_, _>>()?;
    }
    if sampling.stop.iter().any(String::is_empty) {
        return Err("an empty text in `until` of `generation_kwargs`, or an empty `fewshot_delimiter` without `until`, which ends \
                    every answer after its first token"
            .to_owned());
    }
    sampling.max_new_tokens = match LIMITS.iter().find_map(|name| get(name).filter(|value| **value != Setting::Null)) {
        None => MAX_NEW_TOKENS,
        Some(Setting::Int(number)) if (1..=i64::from(u32::MAX)).contains(number) => *number as u32,
        Some(other) => return Err(format!("{} as number of new tokens in `generation_kwargs`", other.kind())),
    };
    let temperature = match get("temperature") {
        None => 0.0,
        Some(Setting::Text(text)) => match text.trim().parse() {
            Ok(temperature) => temperature,
            Err(_) => return Err(format!("the text `{text}` as `temperature` of `generation_kwargs`")),
        },
        Some(other) => {
            other.as_number().ok_or_else(|| format!("{} as `temperature` of `generation_kwargs`", other.kind()))?
        }
    };
    let samples = match get("do_sample") {
        None | Some(Setting::Null) => temperature > 0.0,
        Some(Setting::Bool(truth)) => *truth,
        Some(other) => return Err(format!("{} as `do_sample` of `generation_kwargs`", other.kind())),
    };
    if samples {
        if temperature <= 0.0 {
            return Err("`do_sample: true` with a `temperature` of 0 in `generation_kwargs`".to_owned());
        }
        sampling.temperature = temperature as f32;
    }
    for (name, value) in entries {
        match (name.as_str(), value) {
            ("until" | "temperature" | "do_sample", _) => {}
            (name, _) if LIMITS.contains(&name) => {}
            ("num_beams", Setting::Int(1)) => {}
            ("top_p", value) if value.as_number().is_some_and(|p| p > 0.0 && p <= 1.0) => {
                if samples {
                    sampling.top_p = value.as_number().unwrap_or(1.0) as f32;
                }
            }
            ("top_k", Setting::Int(k)) if (0..=i64::from(u32::MAX)).contains(k) => {
                if samples {
                    sampling.top_k = *k as u32;
                }
            }
            ("repetition_penalty", value) if value.as_number().is_some_and(|penalty| penalty > 0.0) => {
                sampling.repetition_penalty = value.as_number().unwrap_or(1.0) as f32;
            }
            (name, value) => return Err(format!("`{name}` with {} in `generation_kwargs`", value.kind())),
        }
    }
    Ok(sampling)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, Setting)]) -> Result<Sampling, Refused> {
        let entries = entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        sampling(Some(&Setting::Map(entries)), Some("\n\n"))
    }

    #[test]
    fn what_is_not_said_is_greedy_and_ends_at_the_separator() {
        let default = Sampling { stop: vec!["\n\n".into()], ..Sampling::default() };
        assert_eq!(sampling(None, Some("\n\n")).unwrap(), default);
        assert_eq!(
            read(&[("do_sample", Setting::Bool(false)), ("temperature", Setting::Float(0.7))]).unwrap(),
            default
        );
        let until = Setting::List(vec![Setting::Text("Q:".into()), Setting::Text("</s>".into())]);
        let said =
            read(&[("until", until), ("max_tokens", Setting::Int(9)), ("max_gen_toks", Setting::Int(32))]).unwrap();
        assert_eq!((said.stop.join(","), said.max_new_tokens, said.temperature), ("Q:,</s>".to_owned(), 32, 0.0));
    }

    #[test]
    fn a_temperature_alone_samples() {
        let said = read(&[("temperature", Setting::Float(0.5)), ("top_p", Setting::Float(0.95))]).unwrap();
        assert_eq!((said.temperature, said.top_p, said.top_k), (0.5, 0.95, 0));
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        for (entry, said) in [
            (("num_beams", Setting::Int(4)), "`num_beams`"),
            (("do_sample", Setting::Bool(true)), "`temperature` of 0"),
            (("until", Setting::Text(String::new())), "an empty text"),
            (("max_gen_toks", Setting::Text("many".into())), "`many`"),
            (("typical_p", Setting::Float(0.2)), "`typical_p`"),
        ] {
            let refused = read(&[entry]).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
