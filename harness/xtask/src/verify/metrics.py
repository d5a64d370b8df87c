"""Writes cases for metrics, filters and patterns, with what their reference implementations compute for them, as JSON lines.

    python metrics.py [--compact]

`--compact` writes the cases that are kept in `harness/metrics/tests/metrics/reference.jsonl`. Needs `anls`, `lm_eval`, `sacrebleu`, `rouge-score`,
`scikit-learn` and `transformers`, and CPython 3.11, whose Unicode tables the reference results depend on.
"""

import json
import logging
import math
import random
import re
import signal
import sys
import unicodedata
import warnings

import numpy as np
import sacrebleu
import sklearn.metrics
from anls import anls_score
from lm_eval.api import metrics as lm
from lm_eval.api.registry import get_filter
from lm_eval.filters import build_filter_ensemble  # noqa: F401  (registers the filters)
from lm_eval.utils import softmax
from rouge_score.rouge_scorer import RougeScorer
from transformers.data.metrics import squad_metrics

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
COMPACT = "--compact" in sys.argv[1:]
RANDOM = random.Random(20261130)

WORDS = (
    "the a an of to and cat sat on mat quickly running runs ran happily relational conditional hopefulness ponies dying skies "
    "agreed plastered motoring conflated troubled sized hopping falling failing filing happy enjoy flies spied generalization "
    "oscillators digitizer radicalli differently vilely analogously predication operator feudalism decisiveness formality "
    "sensibility triplicate formative electrical goodness revival allowance inference airliner gyroscopic adjustable defensible "
    "irritant replacement adjustment dependent adoption homologous communism activate angularity effective bowdlerize probate "
    "rate cease controll roll news innings howe proceed exceed geology apology archaeology yyyy syzygy say by U.S. 3.14 1,000 "
    "10-year don't it's e.g. A.B. &quot; &amp; x-ray (see) [1] \"quoted\" end. Yes! No? $5.00 50% @home #tag ... -- 's ß STRASSE İ "
    "naïve café Ünïcödé 你好 世界 。 こんにちは カタカナ 안녕 привет мир नमस्ते हिन्दी مرحبا שלום ไทย 😀 👨‍👩‍👧 é ｆｕｌｌ № ① ② Ⅷ Σίσυφος ΟΔΟΣ"
).split(" ")
SPACES = [" ", " ", " ", " ", "  ", "\n", "\t", "\u00a0", "\u3000", "\x1c", "-\n", "\n-"]
NASTY = [
    "", " ", "\n", ".", "a", "A", "the", "😀", "é", "e\u0301", "你", "你好世界", "\u200b", "\u00a0", "\x1c", "\x00", "a\x00", "a\x00b",
    "a b c d", "a b c", "one", "-", "1,000.5", "1-2", "a.b", "a .b", ".a", "a.", "...", "İ", "ß", "ΑΣ", "ΑΣΑ", "ﬁ", "\u1e9e", "ǅ",
    "<skipped>", "a<skipped>b", "a-\nb", "a\n-b", "&lt;x&gt;", "&amp;lt;", "x's y", "x's", "\u2028", "Ⅷ", "١٢٣", "½", "a\tb\nc",
    "\n\nx\n\ny\n", "x\n\n\ny z\nx", "aaaa aaaa aaaa", "the the the", "ʼn", "ŉ", "ɤ", "ƛ", "Ა", "ა", "(x)", "(", "((x", "x))", "\ufeffx",
]


def word():
    return RANDOM.choice(WORDS)


def text(length=7 if COMPACT else 12):
    parts = []
    for _ in range(RANDOM.randint(0, length)):
        parts += [word(), RANDOM.choice(SPACES)]
    return "".join(parts)


def near(source):
    """A text that has much in common with another."""
    words = source.split(" ")
    for _ in range(RANDOM.randint(0, 4)):
        at = RANDOM.randrange(len(words) + 1)
        kind = RANDOM.random()
        if kind < 0.3:
            words.insert(at, word())
        elif kind < 0.5 and words:
            words.pop(RANDOM.randrange(len(words)))
        elif kind < 0.6:
            words = [w.upper() if RANDOM.random() < 0.5 else w.capitalize() for w in words]
        elif len(words) > 2:
            a, b = sorted(RANDOM.sample(range(len(words)), 2))
            moved = words[a:b]
            words = words[:a] + words[b:]
            at = RANDOM.randrange(len(words) + 1)
            words[at:at] = moved
    return " ".join(words)


def sample(references=1):
    if RANDOM.random() < 0.2:
        golds = [RANDOM.choice(NASTY) for _ in range(references)]
    else:
        golds = [text()]
        golds += [near(golds[0]) if RANDOM.random() < 0.7 else text() for _ in range(references - 1)]
    prediction = near(golds[0]) if RANDOM.random() < 0.7 else RANDOM.choice([text(), RANDOM.choice(NASTY)])
    return prediction, golds


def number(value):
    value = float(value)
    return value if math.isfinite(value) else {"inf": "inf", "-inf": "-inf"}.get(str(value), "NaN")


def emit(case, compute):
    """Writes a case with its result; an error of the reference is one."""
    try:
        expected = compute()
    except (Exception, AssertionError) as error:  # noqa: BLE001
        expected = {"error": f"{type(error).__name__}: {error}"[:80]}
    print(json.dumps({"case": case, "expected": expected}, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def times(many, few):
    return range(few if COMPACT else many)


def texts():
    corpora = {
        "bleu": lambda o: sacrebleu.BLEU(**o, force=True),
        "chrf": lambda o: sacrebleu.CHRF(**o),
        "chrf++": lambda o: sacrebleu.CHRF(word_order=2, **o),
        "ter": lambda o: sacrebleu.TER(**o),
    }
    of_lm_eval = {"bleu": lm.bleu, "chrf": lm.chrf, "chrf++": lm.chrfpp, "ter": lm.ter}
    options = {
        "bleu": [
            {}, {}, {}, {"lowercase": True}, {"tokenize": "zh"}, {"tokenize": "char"}, {"tokenize": "none"}, {"effective_order": True},
            {"smooth_method": "floor"}, {"smooth_method": "add-k"}, {"smooth_method": "none"}, {"smooth_method": "floor", "smooth_value": 0.5},
        ],
        "chrf": [{}, {}, {"lowercase": True}, {"whitespace": True}],
        "chrf++": [{}, {}, {"lowercase": True}],
        "ter": [{}, {}, {}, {"normalized": True}, {"no_punct": True}, {"case_sensitive": True}, {"normalized": True, "no_punct": True}],
    }
    for name, metric in corpora.items():
        for turn in times(1000, 12):
            chosen = options[name][turn % len(options[name])] if COMPACT else RANDOM.choice(options[name])
            references = RANDOM.choice([1, 1, 2, 3])
            count = 1 if turn < len(NASTY) and not COMPACT else RANDOM.choice([1, 1, 2] if COMPACT else [1, 1, 2, 5])
            samples = [sample(references) for _ in range(count)]
            if turn < len(NASTY) and not COMPACT:
                samples = [(NASTY[turn], [RANDOM.choice(NASTY) for _ in range(references)])]
            case = {"kind": "text", "name": name, "options": chosen, "samples": samples}

            def value():
                predictions = [prediction for prediction, _ in samples]
                streams = [list(stream) for stream in zip(*(golds for _, golds in samples))]
                score = metric(chosen).corpus_score(predictions, streams).score
                if not chosen:
                    assert score == of_lm_eval[name]([(golds, prediction) for prediction, golds in samples])
                return number(score)

            emit(case, value)
    for turn in times(10, 1):  # long texts reach the limits of TER
        gold = " ".join(RANDOM.choice("abcdefgh") for _ in range(30 if COMPACT else RANDOM.choice([30, 120, 200])))
        prediction = " ".join(RANDOM.choice("abcdefgh") for _ in range(RANDOM.choice([2, 30, 120, 200])))
        case = {"kind": "text", "name": "ter", "options": {}, "samples": [[prediction, [gold]]]}
        emit(case, lambda: number(sacrebleu.corpus_ter([prediction], [[gold]]).score))

    flags = ["ignore_case", "ignore_punctuation", "ignore_numbers"]
    patterns = [None, None, [], [","], [r"\$", r"(?s).*#### ", r"\.$"], [r"(?i)the\s+", r"\W+"], ["a|"]]
    for _ in times(1000, 10):
        chosen = {flag: True for flag in flags if RANDOM.random() < 0.4}
        ignored = RANDOM.choice(patterns)
        if ignored is not None:
            chosen["regexes_to_ignore"] = ignored
        samples = [sample(RANDOM.choice([1, 1, 2, 3])) for _ in range(3)]
        case = {"kind": "text", "name": "exact_match", "options": chosen, "samples": samples}

        def value():
            scores = []
            for prediction, golds in samples:
                same = [prediction] * len(golds)
                share = lm.exact_match_hf_evaluate(predictions=same, references=golds, **chosen)["exact_match"]
                scores.append(1.0 if share > 0.0 else 0.0)
            return scores

        emit(case, value)
    for name, metric in [("squad_f1", squad_metrics.compute_f1), ("squad_exact", squad_metrics.compute_exact)]:
        for _ in times(1000, 5):
            samples = [sample(RANDOM.choice([1, 1, 2])) for _ in range(3)]
            case = {"kind": "text", "name": name, "options": {}, "samples": samples}
            emit(case, lambda: [number(max(metric(gold, prediction) for gold in golds)) for prediction, golds in samples])
    for name in ["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"]:
        for turn in times(1000, 4):
            stemming = turn % 2 == 1
            samples = [sample(RANDOM.choice([1, 1, 2, 3])) for _ in range(2)]
            if turn < len(NASTY) and not COMPACT:
                samples = [(RANDOM.choice(NASTY), [NASTY[turn]])]
            case = {"kind": "rouge", "name": name, "stemming": stemming, "samples": samples}
            scorer = RougeScorer([name], use_stemmer=stemming)
            emit(case, lambda: [[number(x) for x in scorer.score_multi(golds, prediction)[name]] for prediction, golds in samples])
    for turn in times(300, 1):  # one word by one word: the stemmer
        letters = "aeioubcdlmnrstyxwz"
        endings = ["", "s", "es", "ed", "ing", "ational", "alli", "logi", "fulli", "ization", "ement", "ion", "ness", "eed", "ied", "ies", "y", "e", "ll"]
        made = ["".join(RANDOM.choice(letters) for _ in range(RANDOM.randint(1, 7))) + RANDOM.choice(endings) for _ in range(20 if COMPACT else 40)]
        stems = [RougeScorer(["rouge1"], use_stemmer=True)._tokenizer.tokenize(w) for w in made]
        samples = [(w, [" ".join(s)]) for w, s in zip(made, stems)]
        case = {"kind": "rouge", "name": "rouge1", "stemming": True, "samples": samples}
        scorer = RougeScorer(["rouge1"], use_stemmer=True)
        emit(case, lambda: [[number(x) for x in scorer.score_multi(golds, prediction)["rouge1"]] for prediction, golds in samples])


def classes():
    for _ in times(1000, 20):
        count = RANDOM.choice([0, 1, 2, 5, 9] if COMPACT else [0, 1, 2, 5, 30])
        labels = RANDOM.choice([[0, 1], [0, 1], [0], [1], [0, 2], [0, 1, 2], [-100, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]])
        pairs = [(RANDOM.choice(labels), RANDOM.choice(labels)) for _ in range(count)]
        name = RANDOM.choice(["binary", "micro", "macro", "weighted", "mcc"])
        zero = RANDOM.choice([0.0, 1.0])
        case = {"kind": "classes", "name": name, "zero_division": zero, "pairs": pairs}

        def value():
            golds, predictions = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            if name == "mcc":
                return number(lm.matthews_corrcoef(pairs))
            if name == "binary" and zero == 0.0:
                assert lm.f1_score(pairs) == sklearn.metrics.f1_score(golds, predictions)
            given = {"average": name, "zero_division": zero}
            found = sklearn.metrics.precision_recall_fscore_support(golds, predictions, **given)
            return [number(x) for x in found[:3]]

        emit(case, value)


def aggregates():
    functions = {
        "mean": lm.mean, "nanmean": lm.nanmean, "median": lm.median, "sum": np.sum, "perplexity": lm.perplexity,
        "pop_stddev": lm.pop_stddev, "sample_stddev": lm.sample_stddev, "mean_stderr": lm.mean_stderr,
        "unweighted_mean_stderr": lm.unweighted_mean_stderr,
    }
    weighted = {
        "weighted_perplexity": lambda v, w: lm.weighted_perplexity(list(zip(v, w))),
        "bits_per_byte": lambda v, w: lm.bits_per_byte(list(zip(v, w))),
        "group": lambda v, w: lm.aggregate_subtask_metrics(v, w, True),
        "unweighted_group": lambda v, w: lm.aggregate_subtask_metrics(v, w, False),
        "pooled_sample_stderr": lm.pooled_sample_stderr,
    }
    for name in [*functions, *weighted]:
        for _ in times(100, 2):
            count = RANDOM.choice([2, 3, 9] if COMPACT else [2, 3, 7, 8, 9, 100, 128, 129, 1000])
            scale = 3.0 if "perplexity" in name else 100.0
            values = [RANDOM.gauss(-1.0, 1.0) * scale for _ in range(count)]
            if name == "nanmean":
                values = [math.nan if RANDOM.random() < 0.2 else value for value in values]
            weights = [RANDOM.randint(2, 5000) for _ in range(count)]
            case = {"kind": "aggregate", "name": name, "values": [number(v) for v in values], "weights": weights}
            emit(case, lambda: number(weighted[name](values, weights) if name in weighted else functions[name](values)))


def choices():
    for _ in times(1000, 8):
        count = RANDOM.choice([1, 2, 4, 5] if COMPACT else [1, 2, 4, 5, 10, 26])
        named = [RANDOM.choice(WORDS) + RANDOM.choice(["", " ", " x"]) for _ in range(count)]
        likelihoods = [round(-20 * RANDOM.random(), RANDOM.choice([1, 12])) for _ in range(count)]
        alone = [round(-20 * RANDOM.random(), 1) for _ in range(count)]
        gold = RANDOM.randrange(count)
        case = {"kind": "choice", "choices": named, "loglikelihoods": likelihoods, "unconditional": alone, "gold": gold}

        def value():
            by_chars = np.array([float(len(choice)) for choice in named])
            by_bytes = np.array([float(len(choice.encode())) for choice in named])
            gained = [given - without for given, without in zip(likelihoods, alone)]
            places = [np.argmax(likelihoods), np.argmax(likelihoods / by_chars), np.argmax(likelihoods / by_bytes), np.argmax(gained)]
            return [*map(int, places), number(lm.brier_score([(gold, softmax(likelihoods))]))]

        emit(case, value)


def filters():
    answers = [
        "The answer is 42.", "#### 1,234", "#### 12 #### -3.5", "answer is (B)", "(A) or (C)", ": B", ":  c", "no", "$1,000.50 and 7", "A", "",
        " the answer is yes. ", "The answer is no,", "Guilty of Romance", "guilty", "\n(D)\n", "['('cat', 'NOUN')']", "[('cat', 'NOUN'), ('sat', 'VERB')]",
        "person: Ada Lovelace, none $$ location: London", "PER: a\nloc : b, c $$", "Time: now$date: 1.2.", "x: y", "é: È", "İ", "ẞß",
    ]
    patterns = [
        r"#### (\-?[0-9\.\,]+)", r"(-?[$0-9.,]{2,})|(-?[0-9]+)", r"(\([A-Z]\))", r"((?<=The answer is )(.*)(?=.)|(?<=the answer is )(.*)(?=.))",
        r"answer is \(?([ABCDEFGHIJ])\)?", r"^(.*?)(?=\n|$)", r"^\s*([A-D])", r"\b(Yes|No|yes|no)\b", r"(?=(female|woman|man|male))", r"([A-E]).*",
        r"(?<= )([\" \[\(<{}>\)\]]+)|([\" \[\(<{}>\)\]]+)", r"(x)?(y)?", "[A-Z]", r".*[aA]nswer:\s*([A-L])",
    ]
    steps = {
        "regex": lambda: {
            "regex_pattern": RANDOM.choice(patterns), "group_select": RANDOM.choice([0, 0, -1, 1]), "fallback": RANDOM.choice(["[invalid]", " x "]),
        },
        "regex_pos": dict, "remove_whitespace": dict, "take_first": dict, "take_first_k": lambda: {"k": RANDOM.choice([1, 2, 3])},
        "majority_vote": dict, "lowercase": dict, "uppercase": dict, "format_span": dict,
        "map": lambda: {"mapping_dict": {"A": 1, "(A)": "x", "no": None}, "default_value": RANDOM.choice([None, "z", 0])},
        "multi_choice_regex": lambda: {
            "regex_pattern": RANDOM.choice(patterns), "group_select": RANDOM.choice([0, -1]), "ignore_case": RANDOM.random() < 0.5,
            "ignore_punctuation": RANDOM.random() < 0.5, "regexes_to_ignore": RANDOM.choice([None, [], [r"\s*the "]]),
        },
    }
    names = sorted(steps)
    for turn in times(2000, 28):
        chosen = [names[turn % len(names)], *(RANDOM.choice(names) for _ in range(RANDOM.choice([0, 0, 1, 2])))]
        if RANDOM.random() < 0.3:
            chosen.append("take_first")
        built = [(name, steps[name]()) for name in chosen]
        responses = [RANDOM.choice(answers) for _ in range(RANDOM.choice([1, 1, 2, 5]))]
        document = {"choices": RANDOM.sample(["Guilty", "Guilty of Romance", "guilty", "no", "The answer", "é", "a.b", "", "(C)"], RANDOM.randint(1, 5))}
        case = {"kind": "filter", "filters": built, "responses": responses, "document": document}

        def value():
            found, documents = [responses], [document]
            for name, options in built:
                found = list(get_filter(name)(**options).apply(found, documents))
            return json.loads(json.dumps(found[0]))

        emit(case, value)


CHARS = list("aabbcAB1_ .\n") + list("éÉſßİıKµमि①٣\x1c中😀𐐀𐐨Σς-")


def pattern(groups, depth=3):
    """A random pattern; `groups` has the number of groups so far, and the groups that are closed."""

    def member():
        return RANDOM.choice([*"abc1A_éſKİµ𐐀-", "a-c", "A-Z", r"\w", r"\d", r"\s", r"\W", "à-þ", "a-𐐨", r"\b", r"\x41"])

    def atom(depth):
        kind = RANDOM.random()
        if kind < 0.35 or depth == 0:
            return re.escape(RANDOM.choice(CHARS))
        if kind < 0.45:
            return RANDOM.choice([".", r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\b", r"\B", "^", "$", r"\A", r"\Z"])
        if kind < 0.57:
            return "[" + RANDOM.choice(["", "^"]) + "".join(member() for _ in range(RANDOM.randint(1, 3))) + "]"
        if kind < 0.75:
            groups[0] += 1
            number = groups[0]
            inside = alternatives(depth - 1)
            groups.append(number)
            return RANDOM.choice(["(", f"(?P<n{number}>"]) + inside + ")"
        if kind < 0.96:
            opened = ["(?:", "(?=", "(?!", "(?>", "(?i:", "(?s:", "(?m:", "(?a:", "(?-i:", "(?x:", "(?im-s:"]
            if kind > 0.86:
                return RANDOM.choice(["(?<=", "(?<!"]) + "".join(RANDOM.choice(["a", "b", ".", "[ab]"]) for _ in range(2)) + ")"
            return RANDOM.choice(opened) + alternatives(depth - 1) + ")"
        if groups[1:]:
            group = RANDOM.choice(groups[1:])
            return RANDOM.choice([rf"\{group}", f"(?({group})a|b)", f"(?P=n{group})"])
        return "a"

    def sequence(depth):
        quantifiers = ["*", "+", "?", "{2}", "{1,2}", "{,2}", "{1,}", "{0}", "{", "{a}", "{,}", "{}", "*?", "+?", "??", "{1,2}?", "a++", ".*+"]
        parts = []
        for _ in range(RANDOM.choice([0, 1, 1, 2, 2, 3, 4])):
            parts.append(atom(depth) + (RANDOM.choice(quantifiers) if RANDOM.random() < 0.3 else ""))
        return "".join(parts)

    def alternatives(depth):
        return "|".join(sequence(depth) for _ in range(RANDOM.choice([1, 1, 1, 2, 3])))

    return RANDOM.choice(["", "", "", "", "(?i)", "(?s)", "(?m)", "(?a)", "(?x)"]) + alternatives(depth)


class TooLong(Exception):
    """A search that Python does not end."""


def give_up(*_):
    raise TooLong


def regexes():
    signal.signal(signal.SIGALRM, give_up)

    def shown(found):
        return found and [[list(found.span(group)) for group in range(found.re.groups + 1)], found.lastindex]

    for _ in times(20000, 24):
        source = pattern([0])
        flags = RANDOM.choice([0, 0, 0, 2, 2 | 256, 256, 8, 16, 2 | 8, 64])
        searched = ["".join(RANDOM.choice(CHARS if RANDOM.random() < 0.5 else "aabbc") for _ in range(RANDOM.randint(0, 7))) for _ in range(3)]
        case = {"kind": "regex", "pattern": source, "flags": flags, "texts": searched}
        try:
            signal.alarm(2)
            compiled = re.compile(source, flags)
            expected = [
                [list(map(shown, compiled.finditer(t))), shown(compiled.match(t)), shown(compiled.fullmatch(t)), compiled.split(t)]
                for t in searched
            ]
        except (TooLong, SystemError):  # Python is slow, or finds a mistake of its own
            continue
        except re.error as error:
            expected = {"error": str(error)[:40]}
        finally:
            signal.alarm(0)
        if RANDOM.random() < 0.85 and isinstance(expected, dict):
            continue  # fewer patterns that are none
        emit(case, lambda: expected)
    templates = [r"\1", r"<\g<0>>", r"\g<1>\n", r"\\", r"\.", r"\07x", r"\101", r"\q", r"\2", r"\g<n>", "x", "", r"[\g<01>]"]
    for _ in times(500, 14):
        source = RANDOM.choice(["(a)", "(?P<n>a)|b", "x*", "(a)(b)?", r"\b", "", "(?<=a)", "(.)"])
        case = {
            "kind": "replace", "pattern": source, "flags": 0, "template": RANDOM.choice(templates), "count": RANDOM.choice([0, 0, 1, 2]),
            "texts": ["", "abxd", "ab ab", "aéa"],
        }
        emit(case, lambda: [re.sub(source, case["template"], t, count=case["count"]) for t in case["texts"]])


def characters():
    def shown(value):
        return [value.lower(), value.upper(), value.strip(), value.split(), [unicodedata.category(c) for c in value]]

    kept = [text for text in NASTY]
    kept += ["".join(chr(c) for c in RANDOM.sample(range(1, 0xD800), 12)) + "ΑΣ" for _ in range(4)]
    emit({"kind": "unicode", "texts": kept}, lambda: [shown(value) for value in kept])
    words = WORDS[-12:] if COMPACT else WORDS
    emit({"kind": "unicode", "texts": words}, lambda: [shown(value) for value in words])
    emit({"kind": "unicode", "texts": ["ΑΣ.", "ΑΣ'Α", "Σ", "aΣ\u0301", "\x1c x \x85"]}, lambda: [shown(v) for v in ["ΑΣ.", "ΑΣ'Α", "Σ", "aΣ\u0301", "\x1c x \x85"]])
    if not COMPACT:  # every character
        for start in range(0, 0x110000, 0x800):
            if not 0xD800 <= start < 0xE000:
                block = ["".join(map(chr, range(start, start + 0x800)))]
                emit({"kind": "unicode", "texts": block}, lambda: [shown(value) for value in block])


def similarities():
    for _ in times(1000, 4):
        options = RANDOM.choice([{}, {}, {"threshold": 0.8}])
        samples = [sample(RANDOM.choice([1, 1, 2, 3])) for _ in range(3)]
        case = {"kind": "text", "name": "anls", "options": options, "samples": samples}
        emit(case, lambda: [number(anls_score(prediction, golds, **options)) for prediction, golds in samples])


for part in [texts, classes, aggregates, choices, filters, regexes, characters, similarities]:
    part()
