"""What lm-evaluation-harness itself asks of a model for tasks, without a model: the prompts that a comparison is held against.

Usage, in a directory with the data in the layout of the hub: lm_eval_prompts.py OUT --shots N --limit N TASK...
For each leaf task a line of JSON: the task's name, and for each document a hash of all that is asked.
"""

import argparse
import hashlib
import json
import logging
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")


def parts(instance):
    """The texts of a request, in order."""
    if instance.request_type != "generate_until":
        return list(instance.args)
    from lm_eval.models.utils import normalize_gen_kwargs

    context, kwargs = instance.args
    kwargs = normalize_gen_kwargs(dict(kwargs), 256)
    return [context, *kwargs["until"], str(kwargs["max_gen_toks"]), repr(float(kwargs["temperature"]))]


def asked(instances):
    """A hash of the requests of a document."""
    digest = hashlib.sha256()
    for instance in sorted(instances, key=lambda instance: instance.idx):
        for part in [instance.request_type, *parts(instance)]:
            digest.update(part.encode("utf-8", "surrogatepass"))
            digest.update(b"\0")
        digest.update(b"\1")
    return digest.hexdigest()[:16]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out")
    arguments.add_argument("tasks", nargs="+")
    arguments.add_argument("--shots", type=int)
    arguments.add_argument("--limit", type=int)
    arguments = arguments.parse_args()
    logging.disable(logging.WARNING)
    import datasets
    from lm_eval.tasks import TaskManager

    datasets.disable_progress_bars()
    manager = TaskManager()
    with open(arguments.out, "w", encoding="utf-8") as out:
        for name in arguments.tasks:
            try:
                loaded = manager.load([name])["tasks"]
            except Exception as error:  # What lm-evaluation-harness cannot load has no prompts.
                line = {"task": name, "error": f"{type(error).__name__}: {error}"[:300]}
                out.write(json.dumps(line) + "\n")
                continue
            for task_name, task in loaded.items():
                line = {"task": task_name}
                try:
                    if arguments.shots is not None and task.get_config("num_fewshot") != 0:
                        task.set_config(key="num_fewshot", value=arguments.shots)
                    elif task.get_config("num_fewshot") is None:
                        task.set_config(key="num_fewshot", value=0)
                    task.set_fewshot_seed(seed=1234)
                    task.build_all_requests(limit=arguments.limit)
                    documents = {}
                    for instance in task.instances:
                        documents.setdefault(instance.doc_id, []).append(instance)
                    line["documents"] = [asked(instances) for instances in documents.values()]
                    first = sorted(documents[0], key=lambda instance: instance.idx)
                    line["first"] = [[instance.request_type, *parts(instance)] for instance in first]
                except Exception as error:
                    line["error"] = f"{type(error).__name__}: {error}"[:300]
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
                out.flush()


if __name__ == "__main__":
    sys.exit(main())
