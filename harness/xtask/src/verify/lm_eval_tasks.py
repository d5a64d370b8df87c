"""What lm-evaluation-harness itself makes of tasks on a model: its log of samples and its results.

Usage, in a directory with the data in the layout of the hub: lm_eval_tasks.py MODEL ENTRIES OUT
ENTRIES is a file of JSON: a list of {"name", "tasks", "num_fewshot", "limit", "max_gen_toks"}. For each entry OUT/NAME gets the log of
each task, as `--log_samples` writes it, and `results.json`: what tasks and groups came to.
"""

import json
import logging
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")


def main():
    model, entries, out = sys.argv[1:]
    logging.disable(logging.WARNING)
    import datasets
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    datasets.disable_progress_bars()
    manager = TaskManager()
    lm = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=8)
    with open(entries, encoding="utf-8") as file:
        entries = json.load(file)
    for entry in entries:
        directory = os.path.join(out, entry["name"])
        os.makedirs(directory, exist_ok=True)
        started = time.monotonic()
        overrides = {}
        if entry.get("max_gen_toks") is not None:
            overrides["gen_kwargs"] = f"max_gen_toks={entry['max_gen_toks']}"
        evaluated = simple_evaluate(
            model=lm,
            tasks=entry["tasks"],
            num_fewshot=entry.get("num_fewshot"),
            limit=entry.get("limit"),
            log_samples=True,
            bootstrap_iters=0,
            task_manager=manager,
            **overrides,
        )
        tracker = EvaluationTracker(output_path=directory)
        tracker.general_config_tracker.model_name_sanitized = "model"
        tracker.date_id = "2026-01-01T00-00-00"
        for task, samples in evaluated["samples"].items():
            tracker.save_results_samples(task, samples)
        results = {**evaluated["results"], **evaluated.get("groups", {})}
        numbers = {
            name: {key: value for key, value in values.items() if isinstance(value, (int, float))}
            for name, values in results.items()
        }
        seconds = time.monotonic() - started
        with open(os.path.join(directory, "results.json"), "w", encoding="utf-8") as file:
            json.dump({"seconds": seconds, "results": numbers}, file)


if __name__ == "__main__":
    main()
