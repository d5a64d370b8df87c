"""Values of Python as JSON: those that metrics give, so that they come back as they were; and documents, to be read and compared."""


class Refused(Exception):
    """What this script itself finds wrong."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def encode(value):
    """A value of Python as JSON from which `decode` makes the same value."""
    import numpy

    if value is None or isinstance(value, (bool, str)) and type(value) in (bool, str):
        return value
    if type(value) is int:
        return value if abs(value) < 1 << 53 else {"int": str(value)}
    if type(value) is float:
        return value if value == value and abs(value) != float("inf") else {"float": repr(value)}
    if type(value) is bytes:
        return {"bytes": value.hex()}
    if type(value) is list:
        return [encode(item) for item in value]
    if type(value) is tuple:
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if type(value) in (set, frozenset):
        return {type(value).__name__: [encode(item) for item in sorted(value, key=repr)]}
    if isinstance(value, numpy.generic) and value.dtype.kind in "biufU":
        return {"numpy": value.dtype.str, "value": encode(value.item())}
    if isinstance(value, numpy.ndarray) and value.dtype.kind in "biufU":
        return {"array": value.dtype.str, "value": encode(value.tolist())}
    raise Refused("value", f"a value of the type `{type(value).__module__}.{type(value).__qualname__}`, which cannot be kept")


def decode(value):
    import numpy

    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    (kind, content), *_ = value.items()
    if kind == "int":
        return int(content)
    if kind == "float":
        return float(content)
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "tuple":
        return tuple(decode(item) for item in content)
    if kind == "dict":
        return {decode(key): decode(item) for key, item in content}
    if kind == "set":
        return {decode(item) for item in content}
    if kind == "frozenset":
        return frozenset(decode(item) for item in content)
    if kind == "numpy":
        return numpy.dtype(content).type(decode(value["value"]))
    return numpy.array(decode(value["value"]), dtype=numpy.dtype(content))


def plain(value):
    """A document as JSON, for people to read and for its hash. Values that JSON has no form for are told by their content."""
    import datetime

    import numpy

    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, numpy.integer)):
        return int(value) if abs(int(value)) < 1 << 53 else str(int(value))
    if isinstance(value, (float, numpy.floating)):
        number = float(value)
        return number if number == number and abs(number) != float("inf") else repr(number)
    if isinstance(value, numpy.bool_):
        return bool(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, numpy.ndarray):
        return plain(value.tolist())
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return str(value)
    if isinstance(value, bytes):
        return "bytes:" + value.hex()
    if hasattr(value, "__dict__"):
        return {"type": type(value).__qualname__, **plain(vars(value))}
    raise Refused("document", f"a document holds a value of the type `{type(value).__qualname__}`, expected text and numbers")


def digest(document):
    import hashlib

    text = json.dumps(plain(document), sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
