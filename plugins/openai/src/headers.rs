//! What a server's headers say of waiting and of limits.

use crate::rate_limit::Limits;
use jiff::Timestamp;
use reqwest::header::HeaderMap;

/// For how many seconds the server asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<f64> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    if let Some(wait_ms) = text("retry-after-ms").and_then(number) {
        return Some(wait_ms / 1000.0);
    }
    let wait = text("retry-after")?;
    number(wait).or_else(|| {
        let until = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(wait).ok()?;
        Some(until.duration_since(now).as_secs_f64().max(0.0))
    })
}

/// What the server says of its limit of requests.
pub(crate) fn limits(headers: &HeaderMap) -> Limits {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |name: &str| text(name)?.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    Limits {
        limit: number("x-ratelimit-limit-requests"),
        remaining: number("x-ratelimit-remaining-requests"),
        reset_s: text("x-ratelimit-reset-requests").and_then(seconds),
    }
}

/// `1h2m3.5s`, `120ms` or a number of seconds.
fn seconds(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(seconds).filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    }
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let unit_s = match unit {
            "d" => 86400.0,
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit_s;
        rest = behind;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn reads_every_form_of_retry_after() {
        let now: Timestamp = "2015-10-21T07:27:50Z".parse().unwrap();
        let wait = |pairs: &[(&'static str, &'static str)]| retry_after(&headers(pairs), now);
        assert_eq!(wait(&[("retry-after", "7")]), Some(7.0));
        assert_eq!(wait(&[("retry-after", "0.25")]), Some(0.25));
        assert_eq!(wait(&[("retry-after", "7"), ("retry-after-ms", "20")]), Some(0.02));
        assert_eq!(wait(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]), Some(10.0));
        assert_eq!(wait(&[("retry-after", "Wed, 21 Oct 2015 07:20:00 GMT")]), Some(0.0));
        for nothing in ["soon", "-3", "inf", "NaN"] {
            assert_eq!(wait(&[("retry-after", nothing)]), None, "{nothing}");
        }
    }

    #[test]
    fn reads_times_as_servers_write_them() {
        for (text, expected) in
            [("1s", 1.0), ("6m0s", 360.0), ("8.64s", 8.64), ("120ms", 0.12), ("1h1m", 3660.0), ("3", 3.0)]
        {
            assert!((seconds(text).unwrap() - expected).abs() < 1e-9, "{text}");
        }
        for nothing in ["s", "1x", "1m2", "2026-01-01T00:00:00Z"] {
            assert_eq!(seconds(nothing), None, "{nothing}");
        }
    }
}
