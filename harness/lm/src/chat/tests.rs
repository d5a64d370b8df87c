use super::*;
use crate::checkpoint::Checkpoint;
use crate::decoder::CacheLayout;
use crate::testing::{self, Toy};
use crate::{LocalModel, ModelSource};
use examiner_api::testing::FakeHost;
use examiner_api::{ErrorCode, Model, Response, Sampling, Span};
use examiner_bounds::TextLimits;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

const CHATML: &str = include_str!("references/chatml.jinja");
const GEMMA: &str = include_str!("references/gemma.jinja");

fn compile(source: &str, tokens: &Value) -> Result<ChatTemplate, ChatError> {
    let tokens = tokens.as_object().unwrap();
    ChatTemplate::compile("`t`", source, tokens, LocalOptions::default().date().unwrap(), TextLimits::default())
}

/// A checkpoint of a configuration and a tokenizer, with these files beside them.
fn checkpoint(files: &[(&str, &str)]) -> (tempfile::TempDir, FakeHost, Checkpoint) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("config.json", br#"{ "model_type": "toy", "bos_token_id": 0, "eos_token_id": 0 }"#);
    write("tokenizer.json", testing::tokenizer().bytes());
    files.iter().for_each(|(name, text)| write(name, text.as_bytes()));
    let host = FakeHost::new();
    let checkpoint = Checkpoint::open(folder.path().to_str().unwrap(), &host.host()).unwrap();
    (folder, host, checkpoint)
}

fn options(value: Value) -> LocalOptions {
    serde_json::from_value(value).unwrap()
}

/// How a checkpoint with this template is spoken to.
fn chat(template: &str, value: Value) -> Result<Chat> {
    let (_folder, _, checkpoint) = checkpoint(&[("chat_template.jinja", template)]);
    Ok(checkpoint.chat(&options(value))?.unwrap())
}

fn turns(texts: &[(&str, &str)]) -> Vec<Turn> {
    let turn = |(role, content): &(&str, &str)| serde_json::from_value(json!({ "role": role, "content": content }));
    texts.iter().map(|text| turn(text).unwrap()).collect()
}

/// The reference is transformers' `apply_chat_template`: see `references.py`.
#[test]
fn templates_give_what_transformers_gives_byte_for_byte() {
    #[derive(serde::Deserialize)]
    struct References {
        tokens: Value,
        conversations: BTreeMap<String, Vec<Turn>>,
        rendered: BTreeMap<String, BTreeMap<String, Value>>,
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chat");
    let references = std::fs::read_to_string(folder.join("references.json")).unwrap();
    let references: References = serde_json::from_str(&references).unwrap();
    assert_eq!(references.rendered.len(), 8);
    for (name, rendered) in &references.rendered {
        let source = std::fs::read_to_string(folder.join(format!("references/{name}.jinja"))).unwrap();
        let template = compile(&source, &references.tokens).unwrap();
        assert_eq!(rendered.len(), references.conversations.len());
        for (conversation, turns) in &references.conversations {
            let ours = match template.render(turns) {
                Ok(text) => json!({ "text": text }),
                Err(ChatError::Refused { message, .. }) => json!({ "raised": message }),
                Err(error) => panic!("{name}, {conversation}: {error}"),
            };
            assert_eq!(ours, rendered[conversation], "{name}, {conversation}");
        }
    }
}

#[test]
fn a_broken_template_is_named_with_its_line() {
    let (folder, _, checkpoint) = checkpoint(&[("chat_template.jinja", "{% for a in b %}\n{{ a }}\n{% endfro %}")]);
    let error = checkpoint.chat(&LocalOptions::default()).err().unwrap();
    assert_eq!(error.code, ErrorCode::BadInput);
    let place = format!("`{}` is malformed in its line 3", folder.path().join("chat_template.jinja").display());
    assert!(error.message.contains(&place), "{error}");
    let error = chat("\n\n{{ messages[0].content.swapcase() }}", json!({})).err().unwrap();
    assert!(error.message.contains("fails in its line 3") && error.message.contains("swapcase"), "{error}");
    let endless = "{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(100) %}{% endfor %}{% endfor %}{% endfor %}";
    let error = chat(endless, json!({})).err().unwrap();
    assert!(error.message.contains("out of fuel") || error.message.contains("fuel"), "{error}");
}

#[test]
fn what_a_template_raises_is_the_requests_error() {
    let picky = "{% for m in messages %}{% if m.role == 'assistant' %}{{ raise_exception('Unknown role: ' + m.role) }}{% endif %}{{ m.content }}{% endfor %}";
    let error = chat(picky, json!({})).unwrap().text("Q", &turns(&[("user", "a"), ("assistant", "b")])).unwrap_err();
    let ChatError::Refused { message, .. } = &error else { panic!("{error}") };
    assert_eq!(message, "Unknown role: assistant");
    let error = PluginError::from(error);
    assert!(error.message.contains("Unknown role: assistant"), "{error}");
    assert!(error.help.unwrap().contains("shots_as_turns: false"));
}

#[test]
fn the_template_is_found_where_transformers_finds_it() {
    let config =
        |template: Value| json!({ "chat_template": template, "eos_token": { "content": "<|turn|>" } }).to_string();
    let first = |files: &[(&str, &str)]| {
        let (_folder, host, checkpoint) = checkpoint(files);
        let chat = checkpoint.chat(&LocalOptions::default());
        (chat.map(|chat| chat.map(|chat| chat.text("Q", &[]).unwrap())), host.messages().pop().map(|(_, text)| text))
    };
    let text = config(json!("text:{{ messages[0].content }}{{ eos_token }}"));
    let list = config(json!([{ "name": "tool_use", "template": "{{ no }}" },
        { "name": "default", "template": "list:{{ messages[0]['content'] }}" }]));
    assert_eq!(first(&[("tokenizer_config.json", &text)]).0, Ok(Some("text:Q<|turn|>".to_owned())));
    assert_eq!(first(&[("tokenizer_config.json", &list)]).0, Ok(Some("list:Q".to_owned())));
    let file = "file:{{ messages[0].content }}{{ eos_token }}";
    let (both, said) = first(&[("tokenizer_config.json", &text), ("chat_template.jinja", file)]);
    assert_eq!(both, Ok(Some("file:Q<|turn|>".to_owned())));
    assert!(said.unwrap().contains("go through the chat template `"));
    let (none, said) = first(&[("tokenizer_config.json", "{}")]);
    assert_eq!(none, Ok(None));
    assert!(said.unwrap().contains("prompts go to the model as they are (no `chat_template.jinja`"));
    let only_tools = config(json!([{ "name": "tool_use", "template": "" }]));
    let error = first(&[("tokenizer_config.json", &only_tools)]).0.unwrap_err();
    assert!(error.message.contains("no template named `default`, only `tool_use`"), "{error}");
    assert_eq!(first(&[("tokenizer_config.json", &config(json!(7)))]).0.unwrap_err().code, ErrorCode::BadInput);
}

#[test]
fn options_that_the_checkpoint_cannot_fulfil_are_refused() {
    let (_folder, _, bare) = checkpoint(&[]);
    let refused = |value: Value| {
        let error = bare.chat(&options(value)).err().unwrap();
        assert_eq!(error.code, ErrorCode::BadOptions);
        error.message
    };
    let missing = refused(json!({ "chat": true }));
    assert!(missing.contains("no `chat_template.jinja`") && missing.contains("`tokenizer_config.json`"), "{missing}");
    assert!(refused(json!({ "system": "S" })).starts_with("`system` needs a chat template"));
    assert!(refused(json!({ "chat": false, "system": "S" })).contains("exclude each other"));
    assert!(bare.chat(&options(json!({ "chat": false }))).unwrap().is_none());
    let error = chat(GEMMA, json!({ "system": "S" })).err().unwrap();
    assert_eq!(error.code, ErrorCode::BadOptions);
    assert!(error.message.contains("There is no place for the system here"), "{error}");
    let silent = "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}";
    let error = chat(silent, json!({ "system": "S" })).err().unwrap();
    assert!(error.message.contains("leaves it out"), "{error}");
    assert!(chat(CHATML, json!({ "chat_date": "yesterday" })).is_err());
}

#[test]
fn the_system_prompt_and_the_preamble_are_what_the_system_says() {
    let shots = turns(&[("system", "P"), ("user", "1?"), ("assistant", "1"), ("user", "2?")]);
    let chatml = |value| chat(CHATML, value).unwrap();
    let said =
        |chat: Chat, turns: &[Turn]| chat.text("flat", turns).unwrap().replace("<|im_end|>\n", ";").replace('\n', ":");
    let marks = |text: &str| text.replace('<', "<|im_start|>");
    assert_eq!(said(chatml(json!({})), &[]), marks("<user:flat;<assistant:"));
    assert_eq!(said(chatml(json!({ "system": "S" })), &[]), marks("<system:S;<user:flat;<assistant:"));
    let whole = marks("<system:S::P;<user:1?;<assistant:1;<user:2?;<assistant:");
    assert_eq!(said(chatml(json!({ "system": "S" })), &shots), whole);
    assert_eq!(said(chatml(json!({ "shots_as_turns": false })), &shots), marks("<user:flat;<assistant:"));
    let gemma = chat(GEMMA, json!({})).unwrap().text("flat", &shots).unwrap();
    assert!(gemma.contains("<start_of_turn>user\nP\n\n1?<end_of_turn>"), "{gemma}");
}

#[test]
fn a_date_is_the_suites_or_always_the_same() {
    let dated = "{{ strftime_now('%d %B %Y') }}";
    let text = |value| chat(dated, value).unwrap().text("", &[]).unwrap();
    assert_eq!(text(json!({})), "26 July 2024");
    assert_eq!(text(json!({ "chat_date": "2026-01-31" })), "31 January 2026");
}

#[test]
fn a_continuation_begins_the_assistants_turn() {
    let chat = chat(CHATML, json!({})).unwrap();
    let scored = |context: &str, continuation: &str, turns: Vec<Turn>, span| {
        let (context, continuation, turns) = (context.to_owned(), continuation.to_owned(), Arc::new(turns));
        let request = ScoreRequest { id: 3, context, continuation, turns, span, ..ScoreRequest::default() };
        let request = chat.scoring(&request).unwrap();
        assert_eq!((request.id, request.turns.len(), request.span), (3, 0, span));
        (request.context, request.continuation)
    };
    let rendered = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n";
    let pair = |context: &str, continuation: &str| (context.to_owned(), continuation.to_owned());
    assert_eq!(scored("Q", " A", vec![], Span::Continuation), pair(rendered, "A"));
    assert_eq!(scored("P Q", "\n\nA b ", vec![Turn::user("Q")], Span::Continuation), pair(rendered, "A b "));
    assert_eq!(scored("Q", "  ", vec![], Span::Continuation), pair(rendered, "  "));
    assert_eq!(scored("", " A", vec![], Span::Continuation), pair("", "A"), "what is likely without a question");
    assert_eq!(scored("Q", " A", vec![], Span::All), pair("Q", " A"));
}

/// `apply_chat_template(..., continue_final_message=True)` of transformers gives these texts.
#[test]
fn a_turn_of_the_assistant_that_is_begun_goes_on() {
    let chat = chat(CHATML, json!({})).unwrap();
    let turns = |begun: &str| vec![Turn::user("Q"), Turn::assistant(begun)];
    let text = |begun: &str| chat.text("Q", &turns(begun)).unwrap();
    let before = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n";
    for begun in ["The answer is", "The answer is\n", "The answer is "] {
        assert_eq!(text(begun), format!("{before}{begun}"));
    }
    let scored = |begun: &str, continuation: &str| {
        let (context, turns, continuation) = ("Q".to_owned(), Arc::new(turns(begun)), continuation.to_owned());
        chat.scoring(&ScoreRequest { context, turns, continuation, ..ScoreRequest::default() }).unwrap().continuation
    };
    assert_eq!(scored("The answer is", " A"), " A", "white space keeps it apart");
    assert_eq!(scored("The answer is\n", " A"), "A");
}

type Asked = (Vec<(u64, u32)>, Vec<(u64, Vec<u32>)>);

/// What a toy answers: tokens of each sequence scored, and tokens generated.
fn ask(model: &mut LocalModel<Toy>, scores: Vec<ScoreRequest>, prompts: Vec<GenerateRequest>) -> Asked {
    let (seen, token_counts) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let take = |response: Response<examiner_api::ScoreResult>| {
        seen.lock().unwrap().push((response.id, response.result.unwrap().total_tokens));
        examiner_api::Flow::Continue
    };
    model.score(scores, &take).unwrap();
    let take = |response: Response<examiner_api::GenerateResult>| {
        token_counts.lock().unwrap().push((response.id, response.result.unwrap().tokens));
        examiner_api::Flow::Continue
    };
    model.generate(prompts, &take).unwrap();
    (seen.into_inner().unwrap(), token_counts.into_inner().unwrap())
}

/// A toy with these files beside its configuration and tokenizer.
fn model(files: &[(&str, &str)], value: Value) -> LocalModel<Toy> {
    let (_folder, _, checkpoint) = checkpoint(files);
    let identity = checkpoint.identity(&[]).unwrap();
    let (name, arithmetic, details) = ("toy".to_owned(), Metadata::new(), Metadata::new());
    let batch_invariance = examiner_api::BatchInvariance::Exact;
    let source =
        ModelSource { name, checkpoint, identity, arithmetic, batch_invariance, warnings: Vec::new(), details };
    LocalModel::open(Toy::new(CacheLayout::Ragged, true), source, options(value)).unwrap()
}

/// A toy that is spoken to through a template.
fn templated(template: &str, value: Value) -> LocalModel<Toy> {
    model(&[("chat_template.jinja", template)], value)
}

#[test]
fn a_model_with_a_template_answers_what_one_without_answers_to_the_text() {
    const TEMPLATE: &str =
        "<|endoftext|>{% for m in messages %}<|turn|>{{ m.role[0] }}{{ m.content }}{% endfor %}<|turn|>a";
    let shots = || Arc::new(turns(&[("user", "a"), ("assistant", "b"), ("user", "Q")]));
    let sampling = || Sampling { max_new_tokens: 6, ..Sampling::default() };
    let prompt = |text: &str, turns| GenerateRequest {
        id: 1,
        prompt: text.into(),
        turns,
        sampling: sampling(),
        ..GenerateRequest::default()
    };
    let score = |context: &str, continuation: &str, turns| ScoreRequest {
        context: context.into(),
        continuation: continuation.into(),
        turns,
        ..ScoreRequest::default()
    };
    let text = "<|endoftext|><|turn|>ua<|turn|>ab<|turn|>uQ<|turn|>a";
    let found =
        ask(&mut templated(TEMPLATE, json!({})), vec![score("flat", " xyz", shots())], vec![prompt("flat", shots())]);
    let plain =
        ask(&mut model(&[], json!({})), vec![score(text, "xyz", Arc::default())], vec![prompt(text, Arc::default())]);
    assert_eq!(found, plain);
    // No beginning-of-text token besides the template's own.
    let tokens = testing::tokenizer().encode(&format!("{text}xyz")).unwrap();
    assert_eq!(found.0, [(0, tokens.len() as u32)]);
}

#[test]
fn a_models_description_says_how_it_is_spoken_to() {
    let described = |template: &str, value: Value| templated(template, value).info().unwrap();
    let plain = model(&[], json!({})).info().unwrap();
    assert_eq!((&plain.details["chat"], plain.reads_turns), (&json!(false), false));
    let info = described(CHATML, json!({ "system": "S" }));
    assert!(info.reads_turns && !described(CHATML, json!({ "shots_as_turns": false })).reads_turns);
    let chat = &info.details["chat"];
    assert!(chat["template"].as_str().unwrap().contains("chat_template.jinja"));
    assert_eq!((&chat["system"], &chat["knows_system"]), (&json!("S"), &json!(true)));
    assert!(chat["example"].as_str().unwrap().starts_with("<|im_start|>system\nS<|im_end|>"));
    let other = format!("{CHATML} ");
    let all = [
        plain,
        info,
        described(CHATML, json!({})),
        described(&other, json!({})),
        described(CHATML, json!({ "system": "T" })),
        described(CHATML, json!({ "chat_date": "2026-01-31" })),
    ];
    let fingerprints: std::collections::BTreeSet<_> = all.iter().map(|info| &info.fingerprint).collect();
    assert_eq!(fingerprints.len(), all.len(), "each of them could change an answer");
    let again = described(CHATML, json!({ "chat": true }));
    assert_eq!(again.fingerprint, all[2].fingerprint, "how the template came to be used changes none");
}

#[test]
fn an_answer_ends_where_the_assistants_turn_does() {
    let config = json!({ "chat_template": "{{ messages[0].content }}", "eos_token": "<|turn|>" }).to_string();
    let templated = model(&[("tokenizer_config.json", &config)], json!({}));
    assert_eq!(templated.tokenizer().eos(), [testing::EOS, testing::TURN]);
    assert_eq!(model(&[], json!({})).tokenizer().eos(), [testing::EOS]);
}

/// A template that opens the reasoning, unless it is told not to, as that of Qwen3.
const REASONING: &str = "{{ messages[0].content }}{% if enable_thinking is defined and enable_thinking is false %}\
                         <think></think>{% else %}<think>\n{% endif %}";

#[test]
fn an_answer_that_begins_with_reasoning_has_it_apart() {
    let answer = |value: Value| {
        let mut model = templated(REASONING, value);
        let sampling = Sampling { max_new_tokens: 6, ..Sampling::default() };
        let request = GenerateRequest { prompt: "Q".into(), sampling, ..GenerateRequest::default() };
        let (sent, end) = examiner_test_support::model::responses(|sink| model.generate(vec![request], sink));
        end.unwrap();
        let result = sent.into_values().next().unwrap().unwrap();
        (result.rendered.clone().unwrap(), result, model.info().unwrap())
    };
    let (rendered, thinks, info) = answer(json!({}));
    assert_eq!((rendered.as_str(), thinks.text.as_str()), ("Q<think>\n", ""));
    assert!(thinks.lacks_answer() && thinks.is_cut_off() && thinks.reasoning_tokens == 6, "{thinks:?}");
    assert_eq!(info.details["reasoning"], json!({ "start": "<think>", "end": "</think>" }));
    let (rendered, whole, other) = answer(json!({ "reasoning": false }));
    assert_eq!((rendered.as_str(), &whole.tokens), ("Q<think>\n", &thinks.tokens));
    assert_eq!((Some(whole.text), whole.reasoning, whole.reasoning_tokens), (thinks.reasoning, None, 0));
    assert!(info.fingerprint != other.fingerprint && other.details.get("reasoning").is_none());
    let (rendered, answers, told) = answer(json!({ "chat_template_kwargs": { "enable_thinking": false } }));
    assert_eq!((rendered.as_str(), answers.reasoning), ("Q<think></think>", None));
    assert!(!answers.text.is_empty() && told.fingerprint != info.fingerprint);
    assert_eq!(told.details["chat"]["kwargs"], json!({ "enable_thinking": false }));
}

#[test]
fn values_for_a_template_need_one() {
    let error = |files: &[(&str, &str)], value: Value| {
        let (_folder, _, checkpoint) = checkpoint(files);
        checkpoint.chat(&options(value)).err().unwrap().message
    };
    let values = || json!({ "enable_thinking": false });
    let none = error(&[], json!({ "chat_template_kwargs": values() }));
    assert!(none.contains("`chat_template_kwargs` needs a chat template"), "{none}");
    let plain = json!({ "chat": false, "chat_template_kwargs": values() });
    assert!(error(&[("chat_template.jinja", CHATML)], plain).contains("exclude each other"));
    let taken = options(json!({ "chat_template_kwargs": { "messages": [] } })).check().unwrap_err();
    assert!(taken.message.contains("must not have `messages`"), "{taken}");
}
