"""Fills templates with Jinja2 in the environment of lm-evaluation-harness, and writes references.json beside this file."""

import json
import pathlib
import re

from jinja2 import BaseLoader, Environment, StrictUndefined

ENVIRONMENT = Environment(loader=BaseLoader, undefined=StrictUndefined, keep_trailing_newline=True)
ENVIRONMENT.filters["regex_replace"] = lambda text, pattern, replacement, count=0: re.sub(pattern, replacement, text, count=count)

DOCUMENT = {
    "question": " What is 2 + 2? ",
    "choices": ["three", "four", "it's", 'say "no"'],
    "nested": {"text": ["a", "b"], "label": ["A", "B"], "items": 7},
    "answers": [{"atext": "un", "aid": 1}, {"atext": "deux", "aid": 2}],
    "answer": 1,
    "ratio": 0.5,
    "big": 1e16,
    "small": 1e-5,
    "none": None,
    "null": None,
    "yes": True,
    "no": False,
    "empty": "",
    "nothing": [],
    "accents": "Où est l'œuvre ? \u00a0été\u2028x",
    "lines": "one\ntwo\r\nthree\n",
    "digits": "0042",
    "words": "the quick  brown\tfox",
    "numbers": [3, 1, 2],
    "mixed": [1, "a", None, True, 1.0, [2, "b"], {"k": "v"}],
    "cat": "ſTRASSE ß İ",
    "backslash": "a\\b\ttab",
}

TEMPLATES = r"""
{{question}}
{{ question.strip() }}!
{{question.strip() + " " + choices[answer]}}
{{choices}}
{{choices[0]}}{{choices[-1]}}{{choices.0}}
{{mixed}}
{{nested}}
{{nested.text}}{{nested['label'][1]}}
{{nested.items}}
{{nested['items']}}
{{answers|map(attribute='atext')|list}}
{{answers|map(attribute='atext')|join(', ')}}
{{answers|map(attribute='atext')}}
{{answers|map(attribute='missing')|list}}
{{answers|map(attribute='missing', default='?')|list}}
{{choices|map('upper')|join('/')}}
{{numbers|select('odd')|list}} {{numbers|reject('gt', 1)|list}}
{{answers|selectattr('aid', 'eq', 2)|map(attribute='atext')|first}}
{{numbers|first}}{{numbers|last}}{{nothing|first}}
{{ratio}} {{big}} {{small}} {{1.0}} {{10 / 4}} {{10 // 4}} {{-7 // 2}} {{-7 % 3}} {{2 ** 10}} {{2 ** 3 ** 2}} {{-2 ** 2}}
{{none}} {{null}} {{yes}} {{no}} {{empty}}|{{nothing}}
{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ 1 ~ 2 + 3 }}
{{ "a" ~ 1 ~ none ~ 1.5 ~ [1, "x"] }}
{{ "a" * 3 }} {{ [1, 2] + [3] }} {{ "%s and %d" % ("x", 3) }} {{ "%5.2f|%-4s|" % (3.14159, "ab") }}
{{ "abc"[1] }} {{ "abc"[-2:] }} {{ "abcdef"[1:5:2] }} {{ "abc"[::-1] }} {{ numbers[1:] }} {{ numbers[:-1] }}
{{ question[1:-1] }} {{ premise[:-1] }}
{{ missing }}
{{ missing is defined }} {{ question is defined }} {{ missing is undefined }} {{ nested.missing is defined }}
{{ missing|default("d") }} {{ empty|default("d") }}|{{ empty|default("d", true) }} {{ none|d("x") }}
{{ "yes" if yes else "no" }} {{ "a" if no else "b" }} {{ "only" if yes }}
{{ "only" if no }}
{{ answer if few_shot is undefined else solution }}
{% if answer == 1 %}one{% elif answer == 2 %}two{% else %}many{% endif %}
{% if missing %}x{% endif %}
{% for c in choices %}{{ loop.index }}/{{ loop.length }} {{ c }}{% if not loop.last %}, {% endif %}{% endfor %}
{% for c in choices %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }} {% endfor %}
{% for c in choices %}{{ loop.previtem if not loop.first else "-" }}>{{ loop.nextitem if not loop.last else "-" }} {% endfor %}
{% for c in nothing %}x{% else %}none{% endfor %}
{% for k, v in nested.items() %}{{ k }}={{ v }};{% endfor %}
{% for k in nested %}{{ k }},{% endfor %}
{% for a in answers if a.aid > 1 %}{{ a.atext }}{{ loop.index }}{% endfor %}
{% for i in range(3) %}{{ i }}{% endfor %} {% for i in range(1, 10, 4) %}{{ i }}{% endfor %} {{ range(3) }} {{ range(3)|list }}
{% for c in choices %}{{ loop.cycle("odd", "even") }} {% endfor %}
{% set x = question.split()[-1] %}{{ x }}
{% set x %}in a block {{ answer }}{% endset %}{{ x }}
{% set a, b = numbers[0], numbers[1] %}{{ a }}-{{ b }}
{% set n = namespace(total=0) %}{% for i in numbers %}{% set n.total = n.total + i %}{% endfor %}{{ n.total }}
{% set x = 1 %}{% for i in numbers %}{% set x = i %}{% endfor %}{{ x }}
{% if yes %}{% set x = 5 %}{% endif %}{{ x }}
{% with a = 1, b = answer %}{{ a + b }}{% endwith %}
a  {{- question -}}  b
a {%- if yes %} b {% endif -%} c
a {# comment #} b {#- strip -#} c
{% raw %}{{ not }}{% endraw %}
  {% raw -%}  {{ not }}  {%- endraw %}  x
{{ "{{" }} {{ '}}' }} {{ {"a": {"b": 1}} }}
{{ {"cause": "because", "effect": "so"}["effect"] }}
{{ {"a": 1, 2: "b"} }} {{ (1,) }} {{ () }} {{ (1, "a") }} {{ 1, 2 }}
{{ [1, 2, 3,] }} {{ [1.0, none, true, "q'q"] }}
{{ 'single \'quote\' \n \t \\ \x41 \u00e9 \d' }}
{{ "a" "b" 'c' }}
{{ 1_000 }} {{ 1.5e3 }} {{ 12e-2 }}
{{ true }} {{ True }} {{ false }} {{ False }} {{ None }} {{ none }}
{{ 1 == 1.0 }} {{ 1 == true }} {{ "a" < "b" }} {{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ "a" in "abc" }} {{ 3 in numbers }} {{ 5 not in numbers }}
{{ not yes }} {{ not no and yes }} {{ no or "x" }} {{ yes and "y" }} {{ none or 0 }} {{ empty and 1 }}
{{ answer is none }} {{ none is none }} {{ answer is not none }} {{ question is string }} {{ numbers is sequence }} {{ nested is mapping }} {{ ratio is float }} {{ answer is integer }} {{ yes is boolean }} {{ yes is integer }} {{ yes is number }} {{ yes is true }}
{{ 4 is even }} {{ 3 is odd }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ 1 is in [1, 2] }} {{ 1 is eq 1 }} {{ 1 is not sameas 1 }}
{{ question|trim }}|{{ "xxaxx"|trim("x") }} {{ question|length }} {{ choices|length }} {{ nested|length }} {{ choices|count }}
{{ choices|join }} {{ choices|join(", ") }} {{ numbers|join("-") }} {{ mixed|join("|") }} {{ answers|join(", ", attribute="atext") }}
{{ question|upper }} {{ "ABC"|lower }} {{ "hello World"|capitalize }} {{ cat|lower }} {{ cat|upper }} {{ cat|capitalize }}
{{ question|replace("2", "3") }} {{ question|replace("2", "3", 1) }} {{ answer|replace("1", "one") }}
{{ "12"|int }} {{ "12.7"|int }} {{ "x"|int }} {{ "x"|int(-1) }} {{ 3.9|int }} {{ " 7 "|int }} {{ "ff"|int(0, 16) }} {{ none|int }} {{ "1e3"|int }}
{{ "1.5"|float }} {{ "x"|float }} {{ answer|float }} {{ "x"|float(2) }}
{{ answer|int - 1 }} {{ digits|int }} {{ answer|string + "x" }} {{ none|string }} {{ mixed|string }}
{{ -3|abs }} {{ (-3)|abs }} {{ 2.5|abs }}
{{ "abc"|list }} {{ nested|list }} {{ numbers|reverse|list }} {{ "abc"|reverse }}
{{ ["a", "A", "b"]|unique|list }} {{ [1, 2, 1]|unique|join(",") }}
{{ nested|items|list }} {% for k, v in nested|items %}{{ k }}{% endfor %}
{{ question|regex_replace("[0-9]", "#") }} {{ words|regex_replace("\\s+", " ") }} {{ "aaa"|regex_replace("a", "b", 2) }} {{ "john doe"|regex_replace("(\\w+) (\\w+)", "\\2 \\1") }}
{{ choices|tojson }} {{ nested|tojson }} {{ accents|tojson }} {{ "<a href='x'>&"|tojson }} {{ ratio|tojson }} {{ none|tojson }} {{ big|tojson }}
{{ words.split() }} {{ words.split(" ") }} {{ words.split(None, 1) }} {{ words.rsplit(" ", 1) }} {{ lines.splitlines() }}
{{ question.lstrip() }}|{{ question.rstrip() }}|{{ words.replace("the", "a") }} {{ words.title() }} {{ words.upper() }} {{ words.find("quick") }} {{ words.index("quick") }} {{ words.count("o") }}
{{ "abc".startswith("a") }} {{ "abc".endswith(("b", "c")) }} {{ "7".isdigit() }} {{ "a,b".partition(",") }} {{ "7".zfill(3) }} {{ "x".center(5, "*") }} {{ "x".join(["a", "b"]) }}
{{ "{} and {x}".format(1, x="y") }} {{ "{:.2f} {:>4}".format(3.14159, "a") }}
{{ choices.index("four") }} {{ choices.index("five") }}
{{ choices.count("four") }} {{ nested.keys()|list }} {{ nested.values()|list }} {{ nested.get("text") }} {{ nested.get("zzz", "d") }}
{{ choices[answer] }} {{ choices[9] }}
{{ choices["0"] }}
{{ question + 1 }}
{{ question.nope }}
{{ none.strip() }}
{{ question() }}
{{ accents }} {{ accents.strip()|length }} {{ accents.split() }} {{ [accents] }}
{{ [backslash, "\n", "\x7f", "é", "\u200b", "\U0001F600"] }}
{{ [0.1, 1e22, 1e-7, 123456789.0, 1.0e16, 1.5e300] }} {{ 0.1 + 0.2 }} {{ 1e400 }}
{{ 7 / 2 }} {{ 8 / 2 }} {{ 7 // 2.0 }} {{ 2 ** -1 }} {{ 2 ** 100 }} {{ 9007199254740993 }} {{ 1 / 0 }}
{{ lines }}|{{ lines|replace("\n", "/") }}
{{ dict(a=1, b="x") }} {{ dict(a=1).a }}
{{ question|nosuch }}
{{ question is nosuch }}
{{ (question }}
{{ 1 if }}
{% for x in %}{% endfor %}
{% endif %}
{% if yes %}
{{ question
text with { braces } and {single} and }} closing
{%- set t = "x" -%} {{ t }} {{- t -}}
{{ loop }}
{{ "a" is string and "b" is string }} {{ not "a" is string }} {{ 1 is string or 2 is number }}
{{ answers[0].atext }} {{ answers[0]["atext"] }} {{ (answers|first).atext }} {{ answers|length - 1 }} {{ choices|length > 4 }} {{ choices is defined and choices|length > 3 }}
{{ "A" if answer == 0 else "B" if answer == 1 else "C" }}
{{ ["A", "B", "C"][answer] }} {{ "ABCD"[answer] }} {{ choices.index(choices[2]) }}
{{ nested.text[0]|upper ~ nested.label|join }} {{ -answer }} {{ +answer }} {{ - -1 }} {{ -yes }}
{{ "a\
b" }}
""".strip("\n")


def cases():
    """Each template with what Jinja2 makes of it."""
    templates = re.split(r"\n(?!b\" }})", TEMPLATES)
    templates += ["line\n", "line\n\n{{ answer }}\n", "a\r\nb\rc", "{% if yes %}\nx\n{% endif %}\ny\n", "{{ 'é' }}", "", "{{''}}"]
    for template in templates:
        try:
            yield {"template": template, "text": ENVIRONMENT.from_string(template).render(**DOCUMENT)}
        except Exception as error:
            yield {"template": template, "error": type(error).__name__}


if __name__ == "__main__":
    out = {"document": DOCUMENT, "cases": list(cases())}
    path = pathlib.Path(__file__).with_name("references.json")
    path.write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
