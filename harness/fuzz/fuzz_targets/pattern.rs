//! A regular expression of Python and a text, a line feed between them, the first byte for flags: no panic, spans that lie in the text, and
//! texts that are joined again from what `split` and `replace` leave of them.
#![no_main]

use examiner_fuzz::{let_caught_panics_pass, sow, watch};
use examiner_metrics::python_regex::{Flags, Pattern, Subject};
use libfuzzer_sys::fuzz_target;

const SEEDS: [&str; 8] = [
    "\0#### (\\-?[0-9\\.\\,]+)\nSo #### 1,234.",
    "\0(?:[\\s\\S]*?)answer is ([^\\n\\.]+)(?:\\.|$)\nthe answer is 5.",
    "\x01(?P<q>['\"])(?:(?!(?P=q)).)*(?P=q)\nsaid \"it's\"",
    "\x02(?<=a)b+?(?=c)|^\\W$\nabbc\n;",
    "\0(a|ab)(c|bcd)(d*)\\Z\nabcd",
    "\x04(?i:É)[^\\d\\W_]{2,3}(?#c)\nÉté",
    "\0(a*)*b\naaaaaaaaaaaaaaaaaaaaaaaa",
    "\0((x)|y)(?(2)z|w)\nxz yw",
];

fn flags(byte: u8) -> Flags {
    let has = |bit: u8| byte & bit != 0;
    Flags { ignore_case: has(1), multi_line: has(2), dot_all: has(4), verbose: has(8), ascii: has(16), ..Flags::NONE }
}

fn search(byte: u8, source: &str, text: &str) {
    let Ok(pattern) = Pattern::compile(source, flags(byte)) else { return };
    let subject = Subject::new(text);
    let mut end = 0;
    for found in pattern.matches(&subject, 0) {
        let Ok(found) = found else { return };
        assert!(end <= found.start() && found.start() <= found.end() && found.end() <= subject.len());
        end = found.end();
        for group in 0..=pattern.groups() {
            if let Some((start, end)) = found.span(group) {
                assert!(start <= end && end <= subject.len());
                assert_eq!(found.group(&subject, group), Some(subject.slice(start, end)));
            }
        }
    }
    if pattern.groups() == 0
        && let Ok(parts) = pattern.split(text, 0)
    {
        let kept: usize = parts.iter().flatten().map(|part| part.len()).sum();
        assert!(kept <= text.len());
    }
}

fuzz_target!(
    init: {
        let_caught_panics_pass();
        sow("pattern", SEEDS.iter().enumerate().map(|(place, seed)| (place.to_string(), seed.as_bytes().to_vec())));
    },
    |data: &[u8]| {
        let Some((first, rest)) = data.split_first() else { return };
        let Ok(rest) = std::str::from_utf8(rest) else { return };
        let (source, text) = rest.split_once('\n').unwrap_or((rest, ""));
        watch(|| search(*first, source, text));
    }
);
