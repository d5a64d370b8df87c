"""The schema of a class's options."""

import unittest
from typing import Dict, List, Optional

from examiner_plugin import Model
from examiner_plugin._schema import options_schema


class Schema(unittest.TestCase):
    def test_arguments_become_properties(self):
        class Some(Model):
            def __init__(self, path: str, count: int = 3, rate: Optional[float] = None, names: List[str] = (), more: Dict = None, any=1):
                pass

        schema = options_schema(Some)
        self.assertEqual(schema["required"], ["path"])
        self.assertFalse(schema["additionalProperties"])
        self.assertEqual(
            schema["properties"],
            {
                "path": {"type": "string"},
                "count": {"type": "integer", "default": 3},
                "rate": {"type": ["number", "null"]},
                "names": {"type": "array", "items": {"type": "string"}},
                "more": {"type": ["object", "null"]},
                "any": {"default": 1},
            },
        )

    def test_a_class_without_arguments_has_no_options_and_one_with_any_has_all(self):
        class Any(Model):
            def __init__(self, **options):
                pass

        self.assertEqual(options_schema(Model), {"type": "object", "properties": {}, "additionalProperties": False})
        self.assertTrue(options_schema(Any)["additionalProperties"])

    def test_a_schema_of_its_own_is_used(self):
        class Own(Model):
            options_schema = {"type": "object"}

        self.assertEqual(options_schema(Own), {"type": "object"})


if __name__ == "__main__":
    unittest.main()
