"""A dataset that Hugging Face's library `datasets` reads.

    datasets:
      questions:
        plugin: process
        command: [python3, datasets_questions.py]
        options: { path: org/name, revision: 0123abc, split: test }

The rows have the fields `question` and `answer`. A revision is asked for because a dataset on the hub can change: without it, results of
other rows could be taken for these. It needs `datasets`.
"""

import datasets
from examiner_plugin import Dataset, DatasetInfo, Gold, PluginError, Sample, Shot, serve


class Questions(Dataset):
    def __init__(self, path: str, revision: str = "", split: str = "test", shots: str = "train"):
        self.shots = shots
        if self.host.files:
            # A local file, whose content is in the fingerprint: `files: [rows.jsonl]` with `path: json`.
            loaded = datasets.load_dataset(path, data_files={split: self.host.files[0]})
        elif revision:
            loaded = datasets.load_dataset(path, revision=revision)
        else:
            raise PluginError("expected the `revision` of the dataset", code="bad-options", help="name a commit of its repository")
        self.rows = loaded[split]
        self.pool = loaded[shots] if shots in loaded else []

    def info(self):
        return DatasetInfo(
            fingerprint=f"datasets {self.rows._fingerprint}",
            rows=len(self.rows),
            scorer="answer-extraction",
        )

    def prompt(self, row):
        return f"Question: {row['question']}\nAnswer:"

    def samples(self):
        for number, row in enumerate(self.rows):
            yield Sample(str(number), self.prompt(row), Gold(texts=[str(row["answer"])]), delimiter=" ", document=row)

    def few_shot_pool(self):
        for number, row in enumerate(self.pool):
            yield Shot(self.prompt(row), f" {row['answer']}", id=f"{self.shots}-{number}")


if __name__ == "__main__":
    serve(Questions)
