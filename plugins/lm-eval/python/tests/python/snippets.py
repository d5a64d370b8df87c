"""Functions without arguments, whose results CPython and the interpreter must agree on."""

import ast
import collections
import copy
import dataclasses
import functools
import itertools
import json
import math
import os
import random
import re
import string
import unicodedata
from collections import Counter, OrderedDict, defaultdict
from functools import partial
from itertools import chain

CONSTANT = {"a": 1, "b": [1, 2]}
GROWING = []
for number in range(3):
    GROWING.append(number * number)
GROWING += [100]


def helper(x, y=2, *rest, key="k", **more):
    return (x, y, rest, key, sorted(more.items()))


bound = partial(helper, 10, key="z")


@dataclasses.dataclass
class Point:
    x: int
    y: int = 5
    tags: list = dataclasses.field(default_factory=list)

    def sum(self):
        return self.x + self.y


@dataclasses.dataclass
class Named(Point):
    name: str = "n"


def case_dataclasses():
    a, b = Point(1), Point(1, y=5, tags=[])
    a.tags.append(3)
    c = Named(1, 2, [4], name="c")
    unequal = a == b
    b.tags = [3]
    try:
        Point()
        missing = None
    except TypeError:
        missing = "TypeError"
    try:
        hashed = {a: 1}
    except TypeError as error:
        hashed = str(error)
    return [unequal, a == b, a != b, a in [b], a == (1, 5, [3]), c.sum(), c.name, c == Named(1, 2, [4], "c"), a == c, missing, hashed]


def case_arguments():
    return [helper(1), helper(1, 3, 4, 5), helper(1, key="q", other=3), helper(*[1, 2, 3], **{"key": 5}), bound(7), bound(y=9)]


def case_globals():
    return CONSTANT, GROWING, os.path.basename(os.path.dirname("/a/b/c.py")), os.path.join("a", "b", "/c", "d")


def case_integers():
    return [
        7 // 2, -7 // 2, 7 // -2, -7 % 3, 7 % -3, 2**10, 2**100, (2**100) // 3, -(2**70) % 7, 10**18 * 10, 1 << 70, (1 << 70) >> 3,
        9223372036854775807 + 1, -9223372036854775808 - 1, ~5, -(-9223372036854775808), 5 & 3, 5 | 3, 5 ^ 3, True + True, 3 - True,
        divmod(-7, 2), abs(-5), int("  -12_3 "), int("ff", 16), int("٣٤"), int(3.99), int(-3.99), 0x1F, 0b101, 1_000_000, 7 / 2, 6 / 3,
    ]


def case_floats():
    return [
        0.1 + 0.2, 1e16, 1e15, 123456789012345680.0, 1e-5, 0.0001, -0.0, 1e300 * 10, 5.5 // 2, -5.5 // 2, 5.5 % -2, -5.5 % 2, 2.0**0.5, 2**-1,
        float("1e5"), float(" inf "), float("-Infinity"), float("1_0.5"), round(2.5), round(3.5), round(2.675, 2), round(1234.5678, 2),
        round(-0.5), round(5), round(0.5), 1.0.is_integer(), 1e22, 1.7976931348623157e308, 5e-324, sum([0.1] * 10), math.sqrt(2),
        math.floor(-2.5), math.ceil(2.1), math.log(8, 2), math.exp(1), math.isclose(1.0, 1.0 + 1e-10), 3.0 == 3, 1 == True, 2**53 == float(2**53),
        2**53 + 1 == float(2**53), max(1, 2.0), min(3, 1.5, 2), max([1, 5, 3], key=lambda x: -x), max([], default="none"),
    ]


def case_strings():
    s = "Hello, Wörld ß ǆ"
    return [
        s.upper(), s.lower(), s.title(), s.casefold(), s.capitalize(), "ΑΣ".lower(), "aΣb".lower(), s[::-1], s[1:5], s[-3:], s[7:2:-1], len(s),
        s.find("W"), s.rfind("l"), s.count("l"), s.replace("l", "L", 1), "abc".replace("", "-"), s.split(), " a  b ".split(" "), "a,b,c".split(",", 1),
        "a,b,c".rsplit(",", 1), "  a b  c ".split(None, 1), "  a b  c ".rsplit(None, 1), "x".join(["a", "b"]), "a\nb\r\nc\x0bd".splitlines(),
        "a\nb\n".splitlines(True), "abc".partition("b"), "abc".rpartition("z"), "xxabcxx".strip("x"), "\u3000 a\x1c".strip(), "abc".startswith(("x", "a")),
        "abc".endswith("c", 0, 2), "abc".center(8, "*"), "abc".center(7), "abc".ljust(5) + "|", "abc".rjust(5), "-5".zfill(4), "abc".index("c"),
        "²".isdigit(), "½".isnumeric(), "٣".isdecimal(), "ab1".isalnum(), "ab ".isalpha(), "Ab C".istitle(), "ǅ".istitle(), " \t".isspace(), "".isspace(),
        "abc".isupper(), "ABC1".isupper(), "a" in "abc", "" in "abc", "abc" < "abd", "a" * 3, 2 * "ab", "ab" "cd", "prefix-x".removeprefix("prefix-"),
        "x.py".removesuffix(".py"), "abc".translate(str.maketrans("ab", "xy", "c")), "abc".translate({97: "AA", 98: None}), "é".encode(), b"\xc3\xa9".decode("utf-8"),
        list("aé\U0001f600"), "\U0001f600b"[1], ord("é"), chr(233), "%s" % "x", "abc".isascii(), "Mixed".swapcase(),
    ]


def case_repr():
    return [
        repr(x)
        for x in [
            "it's", 'say "hi"', "it's \"both\"", "tab\t\n\r\\", "\x00\x1f\x7f", "\xa0\u200b\u2028", "é中\U0001f600", "\U000e0001", b"by'tes\x00\xff", 1.0, -0.0, 1e100,
            float("inf"), float("nan"), None, True, (1,), (), [1, [2, "x"]], {"a": (1, 2), 2: None}, {1}, set(), frozenset(), range(3), range(1, 9, 2), ..., int, str,
        ]
    ] + [str(x) for x in ["a", 1.5, [1.0, "b"], {"k": "v"}, (None, True), ValueError("bad"), KeyError("k"), b"x"]]


def case_format():
    v, w = 3.14159, "abc"
    return [
        f"{v:.2f}|{w:>6}|{w:*^7}|{5:03d}|{-5:05}|{1234567:,}|{1234567.891:,.2f}|{255:x}|{255:#X}|{5:b}|{0.5:%}|{0.1234:.1%}|{v:e}|{v:g}|{1e10:g}|{v!r}|{w!r:>8}",
        f"{v=}|{w = }|{{}}|{'nested ' + f'{w}'}|{v:{8}.{3}}|{100.0:.3}|{1e-7}|{True:d}|{None}|{[1, 'a']}|{12:+d}|{12: d}|{1.5:+.1f}",
        "{} {} {0}".replace("{0}", "") .format(1, 2), "{0} {1} {0}".format("a", "b"), "{x} {y[0]} {y[k]}".format(x=1, y={"k": 2, 0: 5}) if False else "{x} {y[k]}".format(x=1, y={"k": 2}),
        "{:>{w}}".format("a", w=4), "{!r:5}|".format("a"), "%d %5.1f %-5s| %05d %x %s %r %%" % (3, 2.25, "ab", 42, 255, [1], "q"), "%(a)s-%(b)03d" % {"a": 1, "b": 2},
        "%s" % ("t",), "%s and %s" % ("a", 1.5), "%.3s" % "abcdef", "%i" % 3.9, format(3, "05"), format(2.5), "%s" % [1, 2], "%s" % {"a": 1}, f"{3:.2f}", f"{2.5:.0f}", f"{0.000012345:.3g}",
        f"{1e20:.3g}", f"{123456789:.4g}", f"{float('nan'):.2f}", f"{'é':>3}", f"{1_000_000:_}",
    ]


def case_lists():
    a = [3, 1, 2]
    b = a
    b.append(5)
    c = a[:]
    c.sort(reverse=True)
    d = sorted(["b", "A", "c"], key=str.lower)
    a[1:2] = [7, 8, 9]
    e = [0] * 3
    e[-1] = 4
    f = [[]] * 2
    f[0].append(1)
    g = list(range(10))
    del g[2:5]
    g[::2] = [0] * len(g[::2])
    h = [1, 2, 3]
    h += (4,)
    h *= 2
    i = h.pop(0)
    h.insert(1, "x")
    h.remove(2)
    h.extend({"k": 1})
    h.reverse()
    return a, b, c, d, e, f, g, h, i, h.index("x"), h.count(3), [1, 2] < [1, 3], [1] + [2], 2 in [1, 2.0], list(reversed([1, 2])), (1, 2) + (3,), [*a, *"ab"]


def case_stable_sort():
    rows = [("a", 2), ("b", 1), ("c", 2), ("d", 1)]
    return sorted(rows, key=lambda r: r[1]), sorted(rows, key=lambda r: r[1], reverse=True), sorted({"b": 1, "a": 2}), sorted("hello")


def case_dicts():
    d = {"b": 1, "a": 2}
    d["c"] = 3
    d["b"] = 10
    e = {**d, "a": 5}
    d.update(x=1, y=2)
    d.update([("z", 3)])
    popped = d.pop("x")
    missing = d.pop("nope", "default")
    d.setdefault("s", []).append(1)
    keys = list(d)
    inverted = {v: k for k, v in e.items()}
    last = d.popitem()
    return d, e, popped, missing, keys, inverted, last, d.get("q"), d.get("q", 0), "a" in d, list(d.items()), list(d.values()), {1: "a", 1.0: "b", True: "c"}, d | {"n": 1}, dict.fromkeys("ab", 0), dict([(1, 2)], k=3), len(d), {"a": 1} == {"a": 1.0}


def case_sets():
    a, b = {1, 2, 3}, {2, 3, 4}
    s = set()
    s.add("x")
    s.update(["y", "x"])
    s.discard("nope")
    return sorted(a & b), sorted(a | b), sorted(a - b), sorted(a ^ b), a <= {1, 2, 3, 4}, a == {3, 2, 1}, a.isdisjoint({9}), len({1, 1.0, True}), sorted(s), 2 in a, sorted(a.union([7], (8,))), frozenset([1]) == {1}


def case_comprehensions():
    matrix = [[1, 2], [3, 4]]
    x = "outer"
    squares = [x * x for x in range(4) if x % 2]
    flat = [y for row in matrix for y in row if y > 1]
    functions = [lambda: i for i in range(3)]
    total = sum(n for n in range(5))
    lazy = (n for n in [1, 2, 0, 4])
    found = next((n for n in lazy if n > 1), None)
    rest = list(lazy)
    return squares, x, flat, [f() for f in functions], total, found, rest, {k: v for k, v in zip("ab", [1, 2])}, sorted({c for c in "hello"}), any(n > 2 for n in [1, 3, "x"]), all([]), [[a, b] for a, b in [(1, 2)]]


def case_closures():
    count = 0

    def increase(by=1):
        nonlocal count
        count += by
        return count

    def make(n):
        def inner(x):
            return x + n + count

        return inner

    increase()
    add = make(10)
    increase(5)
    fact = lambda n: 1 if n < 2 else n * fact(n - 1)
    return add(1), count, fact(25), [f(2) for f in [make(k) for k in range(3)]]


def case_control_flow():
    out = []
    for i in range(10):
        if i == 2:
            continue
        if i == 5:
            break
        out.append(i)
    else:
        out.append("never")
    for i in []:
        pass
    else:
        out.append("else")
    n = 3
    while n:
        n -= 1
    else:
        out.append("done")
    a, (b, *c), d = 1, (2, 3, 4), 5
    e = f = []
    e.append(1)
    if (m := len(out)) > 3:
        out.append(m)
    x = 5
    chained = 1 < x <= 5 != 6
    return out, n, a, b, c, d, f, m, chained, 0 or "x", 1 and 0, not [], "a" if [] else "b", None is None, x is not None


def attempt(function):
    try:
        return function()
    except ZeroDivisionError:
        return "zero"
    except (KeyError, IndexError) as e:
        return "lookup " + str(e)
    except ValueError as e:
        return "value " + str(e)
    except Exception as e:
        return type(e).__name__
    finally:
        pass


class Problem(ValueError):
    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


def case_exceptions():
    def fail():
        raise Problem("custom", 7)

    def nested():
        try:
            raise KeyError("inner")
        except KeyError:
            raise

    def cleanup():
        log = []
        try:
            try:
                log.append(1)
                return log
            finally:
                log.append(2)
        finally:
            log.append(3)

    try:
        fail()
    except Problem as e:
        custom = (str(e), e.code, e.args, isinstance(e, ValueError))
    return [
        attempt(lambda: 1 / 0), attempt(lambda: {}["k"]), attempt(lambda: [][3]), attempt(lambda: int("x")), attempt(lambda: float("y")), attempt(lambda: "a" + 1),
        attempt(lambda: None.strip), attempt(lambda: undefined_name), attempt(lambda: [].index(1)), attempt(nested), attempt(lambda: len(5)),
        attempt(lambda: "abc".index("z")), attempt(lambda: next(iter([]))), attempt(lambda: ast.literal_eval("a b")), attempt(lambda: sorted([1, "a"])), attempt(lambda: helper()),
        attempt(lambda: (lambda a: a)(1, 2)), attempt(lambda: 5[0]), attempt(lambda: {[]: 1}), attempt(lambda: max([])), attempt(lambda: "".join([1])), custom, cleanup(),
    ]


def case_assert():
    try:
        assert 1 == 2, "message"
    except AssertionError as e:
        return str(e)


class Base:
    kind = "base"
    shared = []

    def __init__(self, value=1):
        self.value = value

    def describe(self):
        return f"{self.kind}:{self.value}"

    @staticmethod
    def static(x):
        return x * 2

    @classmethod
    def make(cls, v):
        return cls(v)

    @property
    def double(self):
        return self.value * 2


class Derived(Base):
    kind = "derived"

    def __init__(self, value, extra):
        super().__init__(value)
        self.extra = extra

    def describe(self):
        return super().describe() + f"+{self.extra}"

    def __call__(self, x):
        return x + self.value

    def __str__(self):
        return "<" + self.describe() + ">"


def case_classes():
    b, d = Base(), Derived(3, "e")
    b.shared.append(1)
    d.value += 10
    return b.describe(), d.describe(), d(5), str(d), f"{d}", Base.static(4), d.double, Base.make(9).value, isinstance(d, Base), Derived.shared, hasattr(d, "nope"), getattr(d, "nope", 1), type(d).__name__, issubclass(Derived, Base)


def case_regex():
    text = "The answer is (B). Cost: $1,234.50\nLine two 2021-03-04 é_x"
    return [
        re.findall(r"\d+", text), re.findall(r"(\w)(\d)", text), re.sub(r"\s+", " ", text), re.sub(r"(\w+) (\w+)", r"\2 \g<1>", text, count=1), re.split(r"[,.]\s*", text),
        re.split(r"(\d)", "a1b2c"), re.search(r"\((\w)\)", text).group(1), re.match(r"the", text), re.match(r"the", text, re.I).span(), re.search(r"(?P<y>\d{4})-(?P<m>\d\d)", text).groupdict(),
        re.sub(r"\d", lambda m: str(int(m.group()) + 1), "a1b9"), re.findall(r"^\w+", text, re.MULTILINE), re.fullmatch(r"a*", "aaa") is not None, re.escape("a.b*c"), re.sub("", "-", "ab"),
        [m.start() for m in re.finditer("i", text)], re.compile(r"(?i)THE").findall(text), re.search(r"$", "a\n").start(), re.sub(r"[^\w\s]", "", text), re.split(r"\n|;", "a\nb;c"),
        re.search(r"(a)|(b)", "b").groups(), re.findall(r"(?<=\$)[\d,]+", text), re.sub(r"\\boxed", "x", "\\boxed{1}"), re.search("x", "abc") or "none", re.subn("a", "b", "aaa"),
    ]


def case_json():
    value = {"a": [1, 2.5, None, True], "b": "é\"\\\n\U0001f600", "c": {}, "d": [], "n": {"x": {"y": 1}}}
    return [
        json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value, indent=2), json.dumps(value, sort_keys=True, separators=(",", ":")), json.dumps({1: 2, None: 3, True: 4, 1.5: 5}),
        json.loads('{"a": [1, 2.0, -3e2, null, true], "b": "\\u00e9\\n", "a2": 123456789012345678901234567890}'), json.loads(" [1 , 2] "), json.loads('"x"'), json.dumps(float("inf")), json.dumps([(1, 2)]),
    ]


def case_literal_eval():
    return [ast.literal_eval(t) for t in ["[1, 'a', (2.5, None)]", "{'a': {1, 1}, 'b': b'x'}", " -5", "'it\\'s'", "1_000", "[]", "('a' 'b',)", "'''x\ny'''", "True", "{'k': [1, [2]]}"]]


def case_collections():
    c = Counter("hello world")
    d = defaultdict(list)
    d["a"].append(1)
    d["b"]
    n = defaultdict(int)
    for ch in "abca":
        n[ch] += 1
    o = OrderedDict([("x", 1), ("y", 2)])
    o.move_to_end("x")
    return c.most_common(3), c["z"], sum(c.values()), dict(d), dict(n), list(o.items()), dict(Counter(a=1) if False else Counter([1, 1, 2]) + Counter([2, 3])), dict(Counter("aab") & Counter("ab")), dict(Counter("aab") - Counter("ab")), collections.Counter("ab").get("a"), max(c, key=c.get)


def case_itertools():
    return [
        list(chain([1], "ab")), list(chain.from_iterable([[1], [2, 3]])), list(itertools.product("ab", repeat=2)), list(itertools.product([1, 2], "x")), list(itertools.combinations([1, 2, 3], 2)),
        list(itertools.permutations("abc", 2)), list(itertools.islice(range(10), 2, 8, 3)), list(itertools.zip_longest([1, 2], "a", fillvalue="-")), list(itertools.accumulate([1, 2, 3])), list(itertools.islice(itertools.count(5), 3)),
        list(itertools.islice(itertools.cycle("ab"), 5)), functools.reduce(lambda a, b: a * b, [1, 2, 3, 4]), list(enumerate("ab", 1)), list(zip([1, 2, 3], "ab")), list(map(lambda a, b: a + b, [1, 2], [10, 20])), list(filter(None, [0, 1, "", "x"])), list(zip()), list(map(str, range(3))),
    ]


def case_random():
    out = []
    for seed in [0, 1, 42, 1234, -7, 2**40 + 3, "text"]:
        r = random.Random(seed)
        items = list(range(30))
        r.shuffle(items)
        out.append([r.random(), r.randint(1, 100), r.choice("abcdef"), r.sample(range(1000), 5), r.sample(list(range(10)), 6), r.sample(range(50), 20), items, r.choices([1, 2, 3], k=4), r.getrandbits(40), r.uniform(1, 2), r.randrange(7)])
    random.seed(5)
    out.append([random.random(), random.choice([1, 2, 3]), random.sample(["a", "b", "c"], 2)])
    return out


def case_modules():
    return [
        string.punctuation, string.ascii_letters, string.digits, unicodedata.normalize("NFKC", "ﬁ①Å"), unicodedata.normalize("NFD", "é가"), unicodedata.category("é"), unicodedata.category("\u0378"), copy.deepcopy({"a": [1, [2]]}),
        [unicodedata.category(c) for c in "aA1 -$\u0301\u200d"],
    ]


def case_deepcopy_is_separate():
    a = {"x": [1]}
    b = copy.deepcopy(a)
    c = copy.copy(a)
    a["x"].append(2)
    return a, b, c


def case_builtins():
    return [
        list(range(5, 0, -2)), range(10)[3], len(range(0, 10, 3)), 4 in range(0, 10, 2), bool([]), list("ab"), tuple([1]), sum([[1], [2]], []), sum([1, 2], 10), min("b", "a"), sorted([3, 1], reverse=True), callable(len), isinstance(True, int),
        isinstance(1, (str, float)), type(1) == int, type("a").__name__, bin(5), hex(255), oct(8), pow(2, 5), abs(-2.5), list(reversed("abc")), next(iter([5])), next(iter([]), "d"), any([0, 1]), repr("x"), str(3) + str(None), int(True), float(3), list({"a": 1}), dict(a=1), str(),
    ]


def case_slots():
    data = {"choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"}
    labels = data["choices"]["label"]
    return labels.index(data["answerKey"]), "\n".join(f"{l}. {t}" for l, t in zip(labels, data["choices"]["text"])), [*map(str.strip, [" a ", "b "])], {**{"a": 1}, **{"b": 2}}


@functools.lru_cache(maxsize=None)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def case_cache():
    return fibonacci(60)


def case_global_statement():
    global CONSTANT
    before = CONSTANT
    CONSTANT = 5
    after = CONSTANT
    CONSTANT = before
    return before, after
