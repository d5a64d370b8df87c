//! A decoder that cannot hide a mistake: its logits are a hash of all tokens before them, so that any wrong position,
//! cache or fork changes them. And a small byte-level tokenizer.

use crate::{CacheId, CacheLayout, Decoder, OnLogits, Row, Segment, Tokenizer};
use examiner_api::{PluginError, Result};
use std::collections::{BTreeMap, HashMap, HashSet};

/// `<|endoftext|>`, which begins and ends texts.
pub(crate) const BOS: u32 = 0;
/// The same.
pub(crate) const EOS: u32 = 0;
/// `<|turn|>`, a special token that ends nothing by itself.
pub(crate) const TURN: u32 = 1;

/// A byte-level BPE with a few merges.
pub(crate) fn tokenizer() -> Tokenizer {
    let mut alphabet: Vec<char> = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    let mut vocabulary = BTreeMap::from([("<|endoftext|>".to_owned(), BOS), ("<|turn|>".to_owned(), TURN)]);
    let merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("a", "n"), ("Ġ", "c"), ("x", "x"), ("y", "z"), ("x", "yz")];
    let words = alphabet.iter().map(ToString::to_string).chain(merges.iter().map(|(a, b)| format!("{a}{b}")));
    for (id, word) in words.enumerate() {
        vocabulary.insert(word, id as u32 + 2);
    }
    let special = |id: u32, content: &str| {
        serde_json::json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true })
    };
    let byte_level = serde_json::json!(
        { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let file = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [special(BOS, "<|endoftext|>"), special(TURN, "<|turn|>")],
        "pre_tokenizer": byte_level, "post_processor": byte_level, "decoder": byte_level,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges.map(|(a, b)| format!("{a} {b}")) }
    });
    Tokenizer::from_bytes(serde_json::to_vec(&file).unwrap(), Some(BOS), vec![EOS]).unwrap()
}

/// What the toy decoder computes: 64 mixed bits for each token, made into a number from -4 to 4.
pub(crate) fn logits(prefix: &[u32], vocabulary: usize) -> Vec<f32> {
    seeded_logits(0, prefix, vocabulary)
}

/// The same for a toy of another seed.
pub(crate) fn seeded_logits(seed: u64, prefix: &[u32], vocabulary: usize) -> Vec<f32> {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let hash = prefix.iter().fold(prefix.len() as u64 + seed, |hash, &token| {
        mix(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(u64::from(token)))
    });
    let logit =
        |token: u64| (mix(hash ^ token.wrapping_mul(0xd6e8_feb8_6659_fd93)) >> 40) as f32 / (1 << 21) as f32 - 4.0;
    let mut row: Vec<f32> = (0..vocabulary as u64).map(logit).collect();
    // Answers should end now and then.
    row[EOS as usize] += 0.25;
    row
}

/// A toy that keeps each cache as the tokens in it, and checks every rule of [`Decoder`].
#[derive(Debug)]
pub(crate) struct Toy {
    pub(crate) context_length: usize,
    pub(crate) vocabulary: usize,
    pub(crate) layout: CacheLayout,
    pub(crate) can_fork: bool,
    /// Forks take memory for what they share.
    pub(crate) copies: bool,
    /// A pass with this token fails.
    pub(crate) fails_at: Option<u32>,
    /// Another model of the same vocabulary: added to its hashes.
    pub(crate) seed: u64,
    /// Logits after this token are not numbers.
    pub(crate) nan_after: Option<u32>,
    /// The caches in use: their tokens, each with a number of its own that shared ones have in common.
    pub(crate) caches: HashMap<CacheId, Vec<(u32, u64)>>,
    pub(crate) made: u64,
    /// Most positions held at once.
    pub(crate) most_held: usize,
    /// Most tokens and most segments in one pass.
    pub(crate) most_tokens: usize,
    pub(crate) most_segments: usize,
    /// Passes, tokens and rows of logits computed.
    pub(crate) passes: usize,
    pub(crate) tokens: usize,
    pub(crate) rows: usize,
}

impl Toy {
    pub(crate) fn new(layout: CacheLayout, can_fork: bool) -> Self {
        Toy {
            context_length: 64,
            vocabulary: tokenizer().vocabulary(),
            layout,
            can_fork,
            copies: false,
            fails_at: None,
            seed: 0,
            nan_after: None,
            caches: HashMap::new(),
            made: 0,
            most_held: 0,
            most_tokens: 0,
            most_segments: 0,
            passes: 0,
            tokens: 0,
            rows: 0,
        }
    }

    fn add(&mut self, tokens: Vec<(u32, u64)>) -> CacheId {
        self.made += 1;
        self.caches.insert(CacheId(self.made), tokens);
        self.count();
        CacheId(self.made)
    }

    fn count(&mut self) {
        self.most_held = self.most_held.max(self.caches.values().flatten().collect::<HashSet<_>>().len());
    }
}

impl Decoder for Toy {
    fn context_length(&self) -> usize {
        self.context_length
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn cache_layout(&self) -> CacheLayout {
        self.layout
    }

    fn can_fork(&self) -> bool {
        self.can_fork
    }

    fn forks_share_memory(&self) -> bool {
        !self.copies
    }

    fn new_cache(&mut self) -> Result<CacheId> {
        Ok(self.add(Vec::new()))
    }

    fn fork(&mut self, from: CacheId, length: usize) -> Result<CacheId> {
        assert!(self.can_fork, "forked a decoder that cannot");
        let mut tokens = self.caches[&from][..length].to_vec();
        for (_, number) in tokens.iter_mut().filter(|_| self.copies) {
            self.made += 1;
            *number = self.made;
        }
        Ok(self.add(tokens))
    }

    fn free(&mut self, cache: CacheId) {
        assert!(self.caches.remove(&cache).is_some(), "freed {cache:?} twice");
    }

    fn cache_bytes_per_token(&self) -> usize {
        1
    }

    fn forward(&mut self, segments: &[Segment<'_>], on_logits: &mut OnLogits<'_>) -> Result<()> {
        let total: usize = segments.iter().map(|segment| segment.tokens.len()).sum();
        self.passes += 1;
        self.tokens += total;
        self.most_tokens = self.most_tokens.max(total);
        self.most_segments = self.most_segments.max(segments.len());
        let caches: HashSet<CacheId> = segments.iter().map(|segment| segment.cache).collect();
        assert_eq!(caches.len(), segments.len(), "a cache occurs twice in a pass");
        let shape = |segment: &Segment<'_>| (self.caches[&segment.cache].len(), segment.tokens.len());
        if self.layout == CacheLayout::Rectangular {
            assert!(segments.iter().all(|segment| shape(segment) == shape(&segments[0])), "a pass is not rectangular");
        }
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        for (index, segment) in segments.iter().enumerate() {
            assert!(!segment.tokens.is_empty() && segment.wanted.is_sorted_by(|a, b| a < b));
            let cache = self.caches.get_mut(&segment.cache).unwrap();
            let past = cache.len();
            for &token in segment.tokens {
                self.made += 1;
                cache.push((token, self.made));
            }
            assert!(cache.len() <= self.context_length, "{} positions", cache.len());
            for &wanted in segment.wanted {
                rows.push(Row { segment: index, index: wanted });
                let prefix: Vec<u32> = cache[..=past + wanted].iter().map(|&(token, _)| token).collect();
                let mut row = seeded_logits(self.seed, &prefix, self.vocabulary);
                if self.nan_after == Some(segment.tokens[wanted]) {
                    row[3] = f32::NAN;
                }
                values.extend(row);
            }
        }
        self.count();
        self.rows += rows.len();
        // Some rows come before the failure, as they would from a real one.
        let failed = self.fails_at.filter(|token| segments.iter().any(|segment| segment.tokens.contains(token)));
        let handed = if failed.is_some() { rows.len() / 2 } else { rows.len() };
        for (rows, values) in rows[..handed].chunks(3).zip(values.chunks(3 * self.vocabulary)) {
            on_logits(rows, &values[..rows.len() * self.vocabulary])?;
        }
        match failed {
            Some(token) => Err(PluginError::new(examiner_api::ErrorCode::Other, format!("met token {token}"))),
            None => Ok(()),
        }
    }
}
