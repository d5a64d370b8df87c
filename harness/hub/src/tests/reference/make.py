"""Writes what the Python library `datasets` gives for the files in `repositories`, and for data in the hub's layout elsewhere.

    python make.py                 writes `repositories` and `expected.jsonl`
    python make.py DIRECTORY       writes `shared.csv`: rows and their hash for every configuration and split of the data sets there

Needs the packages `datasets`, `pyarrow` and `zstandard`. `expected.jsonl` has a line for each case: the repository, the configuration, the
split, the columns that have no form in JSON, the features, and the rows without these columns, or an error.
"""

import datetime
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
os.environ["HF_HOME"] = tempfile.mkdtemp()
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
import datasets  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import zstandard  # noqa: E402

datasets.disable_progress_bars()
ROOT = HERE / "repositories"


def write(repository, files, readme=None):
    directory = ROOT / "org" / repository
    directory.mkdir(parents=True)
    if readme is not None:
        files = {"README.md": "---\n" + readme.strip() + "\n---\n# " + repository + "\n", **files}
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def lines(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def parquet(rows, features=None):
    if features is not None:
        return lambda path: datasets.Dataset.from_dict(rows, features=datasets.Features(features)).to_parquet(path)
    return lambda path: pq.write_table(pa.table(rows), path)


def make():
    if ROOT.exists():
        shutil.rmtree(ROOT)
    value = datasets.Value
    text = value("string")
    write(
        "typed",
        {
            "data/train-00000-of-00002.parquet": parquet(
                {
                    "q": ["a", None],
                    "label": [1, 0],
                    "seq": [["x", "y"], []],
                    "structs": [[{"t": "u", "n": 1}], [{"t": None, "n": 2}, {"t": "v", "n": None}]],
                    "dict": [{"t": ["a"], "n": [1]}, {"t": [], "n": []}],
                    "nested": [[["a", None], []], None],
                    "f32": [0.1, 3.0],
                    "f64": [0.1, None],
                    "small": [-1, 127],
                    "big": [2**62, 5],
                    "flag": [True, None],
                    "nothing": [None, None],
                    "s": [{"a": 1, "b": {"c": [1.5]}}, {"a": None, "b": None}],
                    "j": [{"a": [1, "x"]}, 5],
                    "fixed": [[1, 2], [3, 4]],
                },
                {
                    "q": text,
                    "label": datasets.ClassLabel(names=["no", "yes"]),
                    "seq": datasets.Sequence(text),
                    "structs": datasets.List({"t": text, "n": value("int32")}),
                    "dict": datasets.Sequence({"t": text, "n": value("int32")}),
                    "nested": datasets.List(datasets.List(text)),
                    "f32": value("float32"),
                    "f64": value("float64"),
                    "small": value("int8"),
                    "big": value("uint64"),
                    "flag": value("bool"),
                    "nothing": value("null"),
                    "s": {"a": value("int64"), "b": {"c": datasets.List(value("float32"))}},
                    "j": datasets.Json(),
                    "fixed": datasets.List(value("int16"), length=2),
                },
            ),
        },
    )
    shutil.copy(
        ROOT / "org/typed/data/train-00000-of-00002.parquet", ROOT / "org/typed/data/train-00001-of-00002.parquet"
    )
    day = datetime.datetime(2020, 1, 2, 3, 4, 5)
    write(
        "arrow",
        {
            "test.parquet": parquet(
                {
                    "i": pa.array([1, None], pa.int32()),
                    "u": pa.array([1, 2], pa.uint16()),
                    "d": pa.array([day, None], pa.timestamp("ns")),
                    "date": pa.array([day.date(), None], pa.date32()),
                    "bytes": pa.array([b"x", None]),
                    "nan": pa.array([float("nan"), 1.0]),
                    "large": pa.array(["x", "y"], pa.large_string()),
                    "dict": pa.array(["x", "y"]).dictionary_encode(),
                    "list": pa.array([[1], None], pa.large_list(pa.int8())),
                    "structs": pa.array([[{"a": 1}, None], None]),
                    "decimal": pa.array([None, None], pa.decimal128(5, 2)),
                    "duration": pa.array([1, 2], pa.duration("s")),
                    "half": pa.array([1.5, None], pa.float16()),
                    "empty": pa.array([{}, {}], pa.struct([])) if False else pa.array([None, None], pa.null()),
                }
            )
        },
    )
    write(
        "lines",
        {
            "train.jsonl": lines(
                {"a": 1, "t": "é\u2028", "n": None, "l": [], "s": {"x": 1}, "day": "2020-01-01", "word": "2020-01-01"},
                {"a": 2.5, "t": "", "l": [1, None], "s": {"x": None}, "day": None, "word": "x", "late": True},
            ),
            "test.jsonl": lines({"late": False, "a": 7, "t": "only"}),
        },
    )
    write(
        "mixed",
        {
            "train.jsonl": lines(
                {"m": 1, "k": {"a": 1}, "l": [{"a": 1}, {"b": "x"}], "same": {"a": [1]}, "f": 0.5, "third": 1 / 3},
                {"m": "two", "k": {"b": [2]}, "l": [], "same": {"a": []}, "f": 2, "third": 0.25},
                {"m": "3", "k": None, "l": None, "same": None, "f": 1e-3, "third": 0},
            )
        },
    )
    write("array", {"data.json": json.dumps([{"a": 1, "f": 0.1}, {"b": {"c": "ü"}, "f": 3.0}], indent=1)})
    write("texts", {"data.json": json.dumps(["one", "two {"])})
    csv = (
        "id,n,f,flag,maybe,word,code,empty,label\n"
        '1,1,1.5,True,true,"quoted ""word"", and\nline",007,,yes\n'
        "2,,2,False,,None,8,,no\n"
        "3,3,NaN,True,False,plain,9,NA,yes\n"
    )
    described = """
configs:
- config_name: typed
  data_files:
  - split: train
    path: t*.csv
- config_name: bare
  data_files: t*.csv
- config_name: tabs
  data_files: data.tab.csv
  sep: "\\t"
dataset_info:
- config_name: typed
  features:
  - {name: id, dtype: string}
  - {name: n, dtype: int64}
  - {name: f, dtype: float32}
  - {name: flag, dtype: bool}
  - {name: maybe, dtype: bool}
  - {name: word, dtype: string}
  - {name: code, dtype: int32}
  - {name: empty, dtype: string}
  - {name: label, dtype: {class_label: {names: {'0': 'no', '1': 'yes'}}}}
  - {name: more, dtype: string}
"""
    write("delimited", {"table.csv": csv, "data.tab.csv": "a\tb\n1\tx,y\n\n  \n2\t\n"}, described)
    long = "x,t\n" + "".join(f"{i},a\n" for i in range(10000)) + "".join(f"{i}.0,{i}\n" for i in range(3))
    write("long", {"train.csv": gzip.compress(long.encode(), mtime=0)})
    os.rename(ROOT / "org/long/train.csv", ROOT / "org/long/train.csv.gz")
    write("mismatch", {"train.csv": "x\n1\n2\n", "test.csv": "x\n1.5\n"})
    write(
        "compressed",
        {
            "train.jsonl.gz": gzip.compress(lines({"a": 1}, {"a": 2}).encode(), mtime=0),
            "test.jsonl.zst": zstandard.compress(lines({"a": 3}).encode()),
        },
    )
    write("plain", {"train.txt": "one\n\ntwo\r\nthree", "test.txt": "four\n"})
    write(
        "named",
        {
            "en/dev/x.jsonl": lines({"a": 1}),
            "en/train.jsonl": lines({"a": 2}),
            ".hidden/train.jsonl": lines({"a": 3}),
            "__private/train.jsonl": lines({"a": 4}),
            "notes.md": "x",
        },
        "configs:\n- config_name: en\n  data_dir: en\n- config_name: all\n  data_files:\n  - split: a.b\n    path: ['en/train.jsonl', '**/x.jsonl']\n  default: true",
    )
    write(
        "counted",
        {"train.jsonl": lines({"a": 1}), "test.jsonl": lines({"a": 1}, {"a": 2})},
        "dataset_info:\n  features:\n  - {name: a, dtype: int8}\n  splits:\n  - {name: train, num_bytes: 1, num_examples: 1}\n"
        "  - {name: test, num_bytes: 1, num_examples: 2}",
    )
    write(
        "miscounted",
        {"train.jsonl": lines({"a": 1})},
        "dataset_info:\n  features:\n  - {name: a, dtype: int8}\n  splits:\n  - {name: train, num_bytes: 1, num_examples: 2}",
    )
    write(
        "described",
        {"test.jsonl": lines({"tr": {"en": "yes", "de": "ja"}, "n": 5, "t": 7, "seq": {"t": ["a"]}, "late": None}, {"n": 6.0, "t": 8})},
        """
dataset_info:
  features:
  - {name: t, dtype: string}
  - {name: n, dtype: int16}
  - {name: seq, sequence: [{name: t, dtype: string}, {name: u, dtype: int8}]}
  - {name: tr, dtype: {translation: {languages: [de, en]}}}
  - {name: late, list: string}
""",
    )
    write("old", {"train.csv": "label\nyes\nno\n", "dataset_infos.json": json.dumps({"x--y": {
        "features": {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}},
        "splits": {"train": {"name": "train", "num_bytes": 1, "num_examples": 2}}}})})
    cases = []
    for repository in sorted(path.name for path in (ROOT / "org").iterdir()):
        configs = {"delimited": ["typed", "bare", "tabs"], "named": ["en", "all", None]}.get(repository, [None])
        for config in configs:
            cases += expected("org/" + repository, config)
    with open(HERE / "expected.jsonl", "w", encoding="utf-8") as file:
        for case in cases:
            file.write(json.dumps(case, ensure_ascii=False, allow_nan=False) + "\n")


def expected(repository, config):
    directory = str(ROOT / repository)
    try:
        loaded = datasets.load_dataset(directory, config)
    except Exception as error:
        return [{"repository": repository, "config": config, "error": type(error).__name__ + ": " + str(error.__cause__ or error)[:200]}]
    return [case(repository, config, split, rows) for split, rows in loaded.items()]


def case(repository, config, split, rows):
    left_out, kept = [], []
    all_rows = list(rows)
    for name in rows.column_names:
        try:
            kept_values = json.dumps([row[name] for row in all_rows], allow_nan=False)
            del kept_values
            kept.append(name)
        except (TypeError, ValueError):
            left_out.append(name)
    features = {name: feature for name, feature in rows.features.to_dict().items()}
    rows = [{name: row[name] for name in kept} for row in all_rows]
    if len(rows) > 20:
        rows = {"count": len(rows), "first": rows[0], "last": rows[-4:]}
    return {"repository": repository, "config": config, "split": split, "left_out": left_out, "features": features, "rows": rows}


def shared(directory):
    out = ["repository,config,split,rows,sha256"]
    os.chdir(directory)
    for readme in sorted(pathlib.Path(".").glob("*/*/README.md")):
        repository = str(readme.parent)
        for config in datasets.get_dataset_config_names(repository):
            for split, rows in datasets.load_dataset(repository, config).items():
                hasher = hashlib.sha256()
                for row in rows:
                    hasher.update((json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n").encode())
                out.append(f"{repository},{config},{split},{len(rows)},{hasher.hexdigest()}")
    (HERE / "shared.csv").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    shared(sys.argv[1]) if len(sys.argv) > 1 else make()
