//! The attribute `#[needs(shared)]`: a test whose data, or whose program, is absent is reported as ignored, with the reason.
//!
//! The test harness knows ignored tests only from their attributes, so that it is decided when tests are built. The build
//! script of this crate looks for what is needed; the tests of all crates that use the attribute are rebuilt if the answer changes.

use proc_macro::TokenStream;

/// What tests may need, the reason for which they are ignored without it, and whether it was there at build time.
const NEEDS: [(&str, &str, bool); 3] = [
    ("shared", "needs the reference data: `../shared`, or the directory in `EXAMINER_SHARED`", cfg!(has_shared)),
    ("python", "needs Python 3.9 or newer: `python3`", cfg!(has_python)),
    (
        "lm_eval",
        "needs a Python with lm_eval 0.4.13: that of `cargo xtask verify --only lm-eval-tasks`, or `EXAMINER_LM_EVAL_PYTHON`",
        cfg!(has_lm_eval),
    ),
];

/// Ignores a test if what it needs is absent: `shared`, the reference data that is not part of the repository; `python`, a
/// `python3`; or `lm_eval`, a Python with lm-evaluation-harness. With `EXAMINER_REQUIRE_SHARED=1` a test of the data runs in any case, and fails without it.
#[proc_macro_attribute]
pub fn needs(need: TokenStream, test: TokenStream) -> TokenStream {
    let need = need.to_string();
    let prefix = match NEEDS.iter().find(|(name, ..)| *name == need) {
        Some((_, _, true)) => String::new(),
        Some((_, reason, false)) => format!("#[ignore = {reason:?}]"),
        None => format!("compile_error!({:?});", format!("expected `shared`, `python` or `lm_eval`, found `{need}`")),
    };
    let mut tokens: TokenStream = prefix.parse().unwrap_or_default();
    tokens.extend(test);
    tokens
}
