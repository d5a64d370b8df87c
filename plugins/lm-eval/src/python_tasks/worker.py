"""Runs tasks of lm-evaluation-harness by its own code, and speaks JSON lines about them.

Each line of stdin is a call, `{"method": ..., ...}`. Each line of stdout is `{"item": ...}`, one of several results of a call;
`{"value": ...}` or `{"error": {...}}`, which end it; or `{"alive": true}`, which says that Python runs. What tasks print goes to stderr.
`values.py` stands before this text in one and the same script.
"""

import copy
import json
import os
import queue
import random
import signal
import sys
import threading
import traceback

HEARTBEAT_S = 2.0
# Lines of a traceback that are told: the last ones say what happened and where.
TRACEBACK_LINES = 12

# What a task prints, in Python or below it, must not reach the protocol; nor may a task read from it.
CALLS = os.fdopen(os.dup(0), "rb")
LINES = os.fdopen(os.dup(1), "wb")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)
sys.stdout = sys.stderr
# A module of the working directory must not stand for an installed one.
sys.path[:] = [place for place in sys.path if place not in ("", os.getcwd())]

LOCK = threading.Lock()


def send(line):
    data = json.dumps(line, allow_nan=False).encode() + b"\n"
    with LOCK:
        LINES.write(data)
        LINES.flush()


def beat(stop):
    while not stop.wait(HEARTBEAT_S):
        try:
            send({"alive": True})
        except OSError:
            os._exit(0)


def read(calls):
    for line in CALLS:
        calls.put(json.loads(line))
    # Whoever started this process is gone, or wants it to end: whatever runs is not wanted any more.
    os._exit(0)


def seed(number):
    """Sets every source of random numbers that a task may use."""
    import numpy

    random.seed(number[0])
    numpy.random.seed(number[1])
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(number[1])


def version_of(package):
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def mirror(directory):
    """Has `datasets` read the data sets of the hub from a directory that is laid out as the hub is."""
    import datasets

    load = datasets.load_dataset

    def load_dataset(path, *arguments, **named):
        name = str(path)
        parts = name.split("/")
        if len(parts) != 2 or not all(parts) or os.path.exists(name):
            return load(path, *arguments, **named)
        place = os.path.join(directory, *parts)
        if not os.path.isdir(place):
            raise FileNotFoundError(f"the mirror `{directory}` has no data set `{name}`")
        # A commit of the hub; a directory has but one content.
        named.pop("revision", None)
        return load(place, *arguments, **named)

    datasets.load_dataset = load_dataset


class Tasks:
    """The tasks that were asked for, each opened once."""

    def __init__(self):
        self.opened = {}
        self.options = {}
        self.values = {}

    def open(self, call):
        """Imports lm-evaluation-harness, and says what there is."""
        from importlib.util import find_spec

        self.options = call
        if find_spec("lm_eval") is None:
            raise Refused("missing", "no module named `lm_eval`")
        try:
            # Before anything that takes `load_dataset` from it.
            import datasets  # noqa: F401

            if call.get("hub_mirror"):
                mirror(call["hub_mirror"])
            import lm_eval
        except ImportError as error:
            raise Refused("missing", f"{type(error).__name__}: {error}") from error
        from lm_eval.tasks import TaskManager

        if not hasattr(TaskManager, "load"):
            raise Refused("old", version_of("lm_eval") or "of an unknown version")
        names = ["lm_eval", "datasets", "evaluate", "numpy", "scikit-learn", "sacrebleu"]
        versions = {name: version_of(name) for name in names}
        tasks = os.path.join(os.path.dirname(os.path.abspath(lm_eval.__file__)), "tasks")
        return {"python": ".".join(map(str, sys.version_info[:3])), "versions": versions, "tasks_dir": tasks}

    def task(self, call):
        """The task, opened as lm-evaluation-harness opens it for an evaluation of this one task."""
        name = call["task"]
        if name not in self.opened:
            seed((0, 1234))
            task = self.load(name, call["path"], call.get("overrides") or {})
            if getattr(task, "MULTIMODAL", False):
                raise Refused("impossible", "it shows pictures or plays sound")
            if getattr(task, "UNSAFE_CODE", False):
                raise Refused("impossible", "it runs what a model has written (`unsafe_code`)")
            own = task.get_config("num_fewshot")
            asked = call.get("num_fewshot")
            if asked is not None and own != 0:
                task.set_config(key="num_fewshot", value=asked)
            elif own is None:
                task.set_config(key="num_fewshot", value=0)
            # Whatever is made of the task begins with the same random numbers.
            self.opened[name] = task, states()
        task, kept = self.opened[name]
        restore(kept)
        task.set_fewshot_seed(seed=call["fewshot_seed"])
        return task

    def load(self, name, path, overrides):
        from lm_eval.tasks import TaskManager

        if not overrides:
            # The one file is read, and not the thousands beside it.
            found = TaskManager(include_defaults=False).load([path])["tasks"]
        else:
            manager = TaskManager(include_path=self.options["tasks_dir"], include_defaults=False)
            group = {"group": "overridden", "task": [{**overrides, "task": name}]}
            found = manager.load([group])["tasks"]
        if list(found) != [name]:
            raise Refused("impossible", f"`{path}` gives the tasks {list(found)}, expected `{name}`")
        return found[name]

    def describe(self, call):
        """What is reported of a task."""
        from lm_eval.api.registry import AGGREGATION_REGISTRY

        task = self.task(call)
        before = states()
        document = next(iter(task.doc_iterator(limit=1)), None)
        if document is None:
            raise Refused("impossible", "it has no documents")
        produced = probe(task, document[1])
        restore(before)
        better = dict(task.higher_is_better())
        aggregations = dict(task.aggregation())
        registered = {id(function): name for name, function in AGGREGATION_REGISTRY.items()}
        metrics = [
            {
                "name": str(name),
                "aggregation": registered.get(id(function)),
                "higher_is_better": bool(better.get(name, True)),
            }
            for name, function in aggregations.items()
            if produced is None or name in produced
        ]
        return {
            "metrics": metrics,
            "filters": [ensemble.name for ensemble in task._filters],
            "target_delimiter": getattr(task.config, "target_delimiter", " "),
        }

    def files(self, call):
        """The Python files of tasks that have been imported."""
        import lm_eval

        own = os.path.join(os.path.dirname(os.path.abspath(lm_eval.__file__)), "tasks")
        roots = [os.path.realpath(root) + os.sep for root in (self.options["tasks_dir"], own)]
        files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        real = {os.path.realpath(file) for file in files if file}
        return sorted(file for file in real if any(file.startswith(root) for root in roots))

    def documents(self, call):
        """Sends each document with what is asked of it."""
        task = self.task(call)
        begin = states()
        limit = call.get("limit")
        # A task may change a document when it makes a prompt of it; it is judged as it was before.
        fresh = {number: (plain(doc), digest(doc)) for number, doc in task.doc_iterator(limit=limit)}
        restore(begin)
        task.build_all_requests(limit=limit)
        asked = by_document(task.instances)
        # The same again, with the turns of a conversation kept apart.
        restore(begin)
        task.set_fewshot_seed(seed=call["fewshot_seed"])
        turns = Turns()
        try:
            task.build_all_requests(
                limit=limit, apply_chat_template=True, fewshot_as_multiturn=True, chat_template=turns.render
            )
            conversations = by_document(task.instances)
        except Exception as error:  # A task that cannot be asked in turns can be asked all the same.
            print(f"the task `{call['task']}` cannot be asked in turns: {error!r}", file=sys.stderr)
            conversations = {}
        task._instances = None
        for number, instances in asked.items():
            contexts, requests = asks(instances, conversations.get(number, []), turns)
            try:
                target = plain(task.doc_to_target(instances[0].doc))
            except Exception:  # Only shown: a task whose `process_results` needs none need not have one.
                target = None
            doc, hashed = fresh[number]
            item = {"id": number, "doc": doc, "hash": hashed, "target": target}
            send({"item": {**item, "contexts": contexts, "requests": requests}})
        return len(asked)

    def judge(self, call):
        """The metrics of one document under each filter."""
        from lm_eval.api.instance import Instance

        task = self.task(call)
        number = call["id"]
        document = self.opened_document(task, call["task"], number)
        if digest(document) != call["hash"]:
            raise Refused("changed", "it is another document than the one that the model was asked about")
        # By chance or not, a verdict is the same whatever was judged before.
        seed((f"{call['task']}/{number}", number))
        instances = []
        for given, responses in zip(call["requests"], call["responses"]):
            metadata = (call["task"], number, given["repeats"])
            instance = Instance(given["type"], document, tuple(given["arguments"]), given["idx"], metadata)
            instance.resps = [tuple(item) if isinstance(item, list) else item for item in responses]
            instances.append(instance)
        task._instances = instances
        task.apply_filters()
        judged = []
        for ensemble in task._filters:
            results = [instance.filtered_resps[ensemble.name] for instance in instances]
            shown = readable(str(results[0])) if results else ""
            metrics = task.process_results(document, results)
            values = {str(name): encode(value) for name, value in metrics.items()}
            judged.append({"filter": ensemble.name, "shown": shown, "metrics": values})
        return judged

    def opened_document(self, task, name, number):
        documents = self.values.get(name)
        if documents is None:
            documents = task.eval_docs
            if not hasattr(documents, "__getitem__"):
                documents = list(documents)
            self.values[name] = documents
        if number >= len(documents):
            raise Refused("changed", f"there are {len(documents)} documents now")
        return copy.deepcopy(documents[number])

    def aggregate(self, call):
        """The value of all documents. Values that were sent once are named by their place from then on."""
        from lm_eval.api.registry import get_aggregation

        known = self.values.setdefault(("aggregate", call.get("task") and call["task"]["task"], call["metric"]), [])
        known.extend(decode(value) for value in call["new"])
        if call.get("task"):
            function = self.task(call["task"]).aggregation()[call["metric"]]
        else:
            function = get_aggregation(call["metric"])
        seed((0, 1234))
        value = function([known[place] for place in call["places"]])
        number = float(value)
        if number != number or abs(number) == float("inf"):
            raise Refused("value", f"the aggregation of `{call['metric']}` gives `{number}`, expected a number")
        return number


class Turns:
    """Stands for a chat template: it keeps conversations, and gives a text by which each is found again."""

    def __init__(self):
        self.kept = {}

    def render(self, messages, add_generation_prompt=True):
        name = f"\x02conversation {len(self.kept)}\x03"
        self.kept[name] = [{"role": message["role"], "content": message["content"]} for message in messages]
        return name


def asks(instances, conversations, turns):
    """The requests of a document, and the contexts in which they ask, each of which is told once."""
    if len(conversations) != len(instances):
        conversations = [None] * len(instances)
    contexts, requests = [], []
    for instance, conversation in zip(instances, conversations):
        made, context = request(instance, conversation, turns)
        if context not in contexts:
            contexts.append(context)
        requests.append({**made, "context": contexts.index(context)})
    return contexts, requests


def request(instance, conversation, turns):
    """A request, and its context: as a text, and as turns where it is more than one of the user."""
    arguments = instance.args
    kind = instance.request_type
    made = {"type": kind, "idx": instance.idx, "repeats": instance.repeats or 1}
    bare = {"text": "", "turns": [], "in_turns": True}
    if kind == "loglikelihood_rolling":
        return {**made, "continuation": arguments[0]}, bare
    if kind not in ("loglikelihood", "generate_until"):
        raise Refused("impossible", f"it asks for `{kind}`, expected log-likelihoods or generated answers")
    if len(arguments) > 2:
        raise Refused("impossible", "its requests hold pictures or sound besides text")
    context, second = arguments
    if not isinstance(context, str):
        raise Refused("impossible", f"the context of a request is a `{type(context).__name__}`, expected a text")
    if kind == "loglikelihood" and not isinstance(second, str):
        raise Refused("impossible", f"the continuation of a request is a `{type(second).__name__}`, expected a text")
    made.update({"continuation": second} if kind == "loglikelihood" else {"generation": plain(second)})
    if not context:
        return made, bare
    other = conversation.args if conversation is not None and conversation.request_type == kind else (None, None)
    kept = turns.kept.get(other[0])
    same = kind == "generate_until" or isinstance(other[1], str) and other[1].lstrip() == second.lstrip()
    if kept is None or not same:
        return made, {"text": context, "turns": [], "in_turns": False}
    if kept == [{"role": "user", "content": context}]:
        kept = []
    return made, {"text": context, "turns": kept, "in_turns": True}


def by_document(instances):
    """The requests of each document, in the order in which they are judged."""
    found = {}
    for instance in instances:
        found.setdefault(instance.doc_id, []).append(instance)
    for of_one in found.values():
        of_one.sort(key=lambda instance: instance.idx)
    return found


def probe(task, document):
    """The names of the metrics that an empty answer has, where only the metrics themselves know them; else none."""
    config = task.config
    functions = getattr(task, "_metric_fn_list", None)
    if getattr(task, "OUTPUT_TYPE", None) != "generate_until" or not functions:
        return None
    if getattr(config, "process_results", None) is not None or type(task).__name__ != "ConfigurableTask":
        return None
    try:
        return set(task.process_results(document, [""]))
    except Exception as error:  # An answer need not be a text for this task.
        print(f"the metrics of an empty answer are not known: {error!r}", file=sys.stderr)
        return None


def states():
    import numpy

    return random.getstate(), numpy.random.get_state()


def restore(kept):
    import numpy

    random.setstate(kept[0])
    numpy.random.set_state(kept[1])


def readable(text):
    """A text that can be written as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def failure(error):
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    text = "".join(lines).rstrip().splitlines()
    kind = error.kind if isinstance(error, Refused) else "raised"
    message = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
    return {"kind": kind, "message": readable(message), "traceback": readable("\n".join(text[-TRACEBACK_LINES:]))}


def main():
    # Whoever started this process ends it, where the user interrupts.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    calls = queue.Queue()
    threading.Thread(target=read, args=(calls,), daemon=True).start()
    threading.Thread(target=beat, args=(threading.Event(),), daemon=True).start()
    tasks = Tasks()
    methods = {name: getattr(tasks, name) for name in ("open", "describe", "documents", "files", "judge", "aggregate")}
    while True:
        call = calls.get()
        try:
            value = methods[call["method"]](call)
        except (Exception, SystemExit) as error:
            traceback.print_exc(file=sys.stderr)
            send({"error": failure(error)})
        else:
            send({"value": value})


main()
