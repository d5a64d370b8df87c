"""Dataclasses as JSON."""

import unittest
from dataclasses import dataclass
from typing import List, Optional

from examiner_plugin import (
    Answered,
    Divergence,
    GenerateAsk,
    GenerateRequest,
    GenerateResult,
    Gold,
    PluginError,
    Sample,
    Sampling,
    ScoreAsk,
    ScoreResult,
    TrainingRow,
    Verdict,
)
from examiner_plugin._json import decode, encode, line


class Json(unittest.TestCase):
    def test_unknown_fields_are_passed_over_and_missing_ones_take_their_default(self):
        data = {"id": 3, "prompt": "p", "sampling": {"temperature": 0.5, "new": 1}, "turns": [{"role": "user", "content": "c"}], "new": 1}
        request = decode(GenerateRequest, data)
        self.assertEqual((request.id, request.prompt, request.turns[0].content), (3, "p", "c"))
        self.assertEqual(request.sampling, Sampling(temperature=0.5))
        self.assertEqual(request.sample.id, "")

    def test_what_is_none_is_left_out(self):
        self.assertEqual(encode(Sample("1", "q"))["gold"], "none")
        self.assertNotIn("subset", encode(Sample("1", "q")))

    def test_tagged_values(self):
        self.assertEqual(encode(Gold(choice=0)), {"choice": 0})
        self.assertEqual(encode(Gold(texts=["a"])), {"text": ["a"]})
        for gold in (Gold(choice=0), Gold(texts=["a", "b"]), Gold()):
            self.assertEqual(decode(Gold, encode(gold)), gold)
        self.assertEqual(encode(ScoreAsk("c", " d"))["score"]["span"], "continuation")
        self.assertEqual(encode(GenerateAsk("p"))["generate"]["sampling"]["max_new_tokens"], 256)
        self.assertEqual(encode(Verdict({"m": 1.0}))["outcome"], "scored")
        error = {"error": {"code": "numeric", "message": "m"}}
        self.assertEqual(encode(Verdict(outcome=PluginError("m", code="numeric")))["outcome"], error)

    def test_answers_are_told_apart_by_their_tag(self):
        question = {"sample": {"id": "1", "prompt": "q"}, "context": "c", "sampling": {}}
        score = {"score": {"sum": -1, "is_greedy": True, "scored_tokens": 1, "total_tokens": 2}}
        answered = decode(Answered, {"question": question, "answers": [score, {"generate": {"text": "t", "finish": "length"}}]})
        self.assertIsInstance(answered.answers[0], ScoreResult)
        self.assertEqual(answered.answers[1], GenerateResult("t", "length"))
        self.assertIsNone(answered.answers[0].divergence)
        score["score"]["divergence"] = {"nats": 0.5, "same_top": 1}
        answered = decode(Answered, {"question": question, "answers": [score]})
        self.assertEqual(answered.answers[0].divergence, Divergence(0.5, 1))
        self.assertEqual(encode(answered.answers[0])["divergence"], score["score"]["divergence"])

    def test_a_row_carries_what_it_was_given(self):
        row = TrainingRow("1", "p", " c", {"task": "t"})
        self.assertEqual(encode(row), {"id": "1", "prompt": "p", "completion": " c", "task": "t"})
        self.assertEqual(decode(TrainingRow, encode(row)), row)

    def test_lists_and_optional_values_are_read_by_their_type(self):
        @dataclass
        class Inner:
            number: int = 0

        # The names of a class within a function cannot be looked up, so that its types are given as they are.
        @dataclass
        class Outer:
            many: List[Inner]
            one: Optional[Inner] = None

        outer = decode(Outer, {"many": [{"number": 1}], "one": {"number": 2}})
        self.assertEqual(outer, Outer([Inner(1)], Inner(2)))
        self.assertEqual(decode(Outer, {"many": [], "one": None}), Outer([]))

    def test_what_json_has_not_is_an_error(self):
        for value in (float("nan"), float("-inf"), "\ud800"):
            with self.assertRaises(ValueError):
                line({"value": value})
        with self.assertRaises(TypeError):
            line({"value": object()})

    def test_numbers_of_other_libraries_become_pythons(self):
        class Scalar:
            def tolist(self):
                return 1.5

        self.assertEqual(line({"value": Scalar(), "text": "é"}), '{"value":1.5,"text":"é"}\n'.encode())


if __name__ == "__main__":
    unittest.main()
