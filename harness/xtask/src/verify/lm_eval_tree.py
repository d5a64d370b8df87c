"""Prints what lm-evaluation-harness itself makes of its tree of tasks, or of that in a directory, one JSON line for each name behind one for the directory.

Tasks are not opened: what would load a dataset is replaced, and functions are named instead of imported. A digest covers all settings
of a task, or a group with everything below it; the program computes the same of what it reads.
"""

import functools
import hashlib
import importlib.util
import json
import logging
import struct
import sys
from copy import deepcopy
from pathlib import Path

logging.disable(logging.CRITICAL)

from lm_eval.api.group import Group
from lm_eval.api.task import Task
from lm_eval.config.task import TaskConfig
from lm_eval.tasks import TaskManager, _factory, _index, _yaml_loader

DIRECTORY = sys.argv[1] if len(sys.argv) > 1 else None
TASKS = Path(DIRECTORY or _index.__file__ + "/..").resolve()


class Function:
    """Stands for a function, or a class, that a file names."""

    def __init__(self, file, name):
        self.file, self.name = file, name
        # The factory looks whether a class takes its settings.
        self.__dict__["__init__"] = lambda config: None

    def __call__(self, config):
        return Opened(config)


def name_function(spec, directory):
    module, _, name = spec.rpartition(".")
    file = (directory / (module.replace(".", "/") + ".py")).resolve()
    if not file.exists():
        found = importlib.util.find_spec(module) if module.startswith("lm_eval.") else None
        file = Path(found.origin).resolve() if found else file
    return Function(file, name)


class Opened(Task):
    """A task that has its settings and nothing else."""

    def __init__(self, config):
        self.settings = config

    @property
    def task_name(self):
        return self.settings["task"]


Opened.__abstractmethods__ = frozenset()
_factory.ConfigurableTask = Opened
_factory.load_yaml = functools.cache(_factory.load_yaml)
_yaml_loader._import_func_in_yml = name_function


def canonical(value):
    """A value as bytes that no other value has."""
    if value is None:
        return b"n"
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, float):
        return b"d" + struct.pack(">d", value).hex().encode()
    if isinstance(value, str):
        text = value.encode()
        return b"s%d:" % len(text) + text
    if isinstance(value, Function):
        file = value.file.relative_to(TASKS) if value.file.is_relative_to(TASKS) else value.file
        return b"!" + canonical(f"{file.as_posix()}:{value.name}")
    if isinstance(value, (list, tuple)):
        return b"[" + b"".join(map(canonical, value)) + b"]"
    if isinstance(value, dict):
        return b"{" + b"".join(canonical(key) + canonical(item) for key, item in value.items()) + b"}"
    raise TypeError(f"no canonical form of a {type(value).__name__}")


def digest(value):
    return hashlib.sha256(canonical(value)).hexdigest()


def describe(item):
    """The name of a task or a group, with its digest."""
    if isinstance(item, Group):
        # Of a metric that is a function no values are found.
        metrics = [
            [metric.metric, metric.filter_list, bool(metric.weight_by_size)]
            for metric in item.aggregate_metric_list or []
            if isinstance(metric.metric, str)
        ]
        return [item.name, digest([item.name, item.alias, metrics, [describe(member) for member in item]])]
    settings = {key: value for key, value in item.settings.items() if key not in ("metadata", "tag")}
    settings["metadata"] = {k: v for k, v in item.settings.get("metadata", {}).items() if k != "config_source"}
    return [item.task_name, digest(settings)]


def refusal(item):
    """Why lm-evaluation-harness does not take the settings of a task."""
    if isinstance(item, Group) or "class" in item.settings:
        return None
    try:
        TaskConfig(**deepcopy(item.settings))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main():
    manager = TaskManager(include_path=DIRECTORY, include_defaults=DIRECTORY is None)
    print(json.dumps({"directory": str(TASKS)}))
    for name in manager.all_tasks:
        entry = manager.task_index[name]
        line = {"name": name, "kind": entry.kind.name.lower()}
        try:
            built = manager._load_spec(name)
            if isinstance(built, list):
                line["members"] = [task.task_name for task in built]
                line["digest"] = digest([describe(task) for task in built])
            else:
                line["members"] = built.child_names if isinstance(built, Group) else []
                line["digest"] = describe(built)[1]
                line["refusal"] = refusal(built)
        except Exception as error:
            line["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    main()
