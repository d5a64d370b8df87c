//! What other tools call the things that a suite names, for whoever comes from them.

use examiner_api::nearest;

/// Names in lm-evaluation-harness, OpenCompass, inspect, transformers and OpenAI's interface, and ours.
const WORDS: [(&str, &str); 34] = [
    ("num_fewshot", "shots"),
    ("n_shot", "shots"),
    ("fewshot", "shots"),
    ("fewshot_split", "few_shot"),
    ("epochs_per_sample", "repeats"),
    ("n_repeats", "repeats"),
    ("steps", "max_steps"),
    ("num_train_epochs", "epochs"),
    ("learning_rate", "lr"),
    ("lr_scheduler_type", "schedule"),
    ("gradient_accumulation_steps", "accumulation"),
    ("max_grad_norm", "clip"),
    ("per_device_train_batch_size", "batch_rows"),
    ("max_seq_length", "max_length"),
    ("max_seq_len", "max_length"),
    ("batch_size", "batch_rows"),
    ("batch_size", "max_sequences"),
    ("max_num_batched_tokens", "max_batch_tokens"),
    ("max_num_seqs", "max_sequences"),
    ("max_gen_toks", "max_new_tokens"),
    ("max_out_len", "max_new_tokens"),
    ("max_tokens", "max_new_tokens"),
    ("until", "stop"),
    ("stop_sequences", "stop"),
    ("pretrained", "checkpoint"),
    ("model_path", "checkpoint"),
    ("model_name_or_path", "checkpoint"),
    ("torch_dtype", "dtype"),
    ("api_base", "base_url"),
    ("openai_api_base", "base_url"),
    ("doc_to_text", "prompt"),
    ("doc_to_choice", "choices"),
    ("doc_to_target", "gold"),
    ("system_instruction", "system"),
];

/// The one of `valid` that `name` is probably meant to be: by what other tools call it, or by a slip.
pub(super) fn meant<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let valid: Vec<&str> = valid.into_iter().collect();
    let plain = name.to_lowercase().replace('-', "_");
    let by_word = WORDS.iter().filter(|(word, _)| *word == plain);
    let known = by_word.filter_map(|(_, ours)| valid.iter().copied().find(|valid| valid == ours)).next();
    known.or_else(|| nearest(name, valid))
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn words_of_other_tools_are_known_where_ours_are_valid() {
        assert_eq!(meant("num_fewshot", ["shots", "limit"]), Some("shots"));
        assert_eq!(meant("batch-size", ["max_sequences", "dtype"]), Some("max_sequences"));
        assert_eq!(meant("batch_size", ["batch_rows", "max_length"]), Some("batch_rows"));
        assert_eq!(meant("num_fewshot", ["seed"]), None);
        assert_eq!(meant("shtos", ["shots"]), Some("shots"));
    }
}
