"""Writes `tables.txt`, the properties of characters as CPython 3.11 has them (Unicode 14).

    python3.11 make.py > tables.txt

Each line is the name of a table, then its entries. Numbers are hexadecimal.
"""

import sys
import unicodedata

assert unicodedata.unidata_version == "14.0.0", "CPython 3.11 has Unicode 14"
CHARS = [chr(code) for code in range(0x110000)]


def ranges(name, test):
    """Ranges of characters that pass a test: `first-last`, or `first` alone."""
    entries, start = [], None
    for code, char in enumerate(CHARS + [None]):
        inside = char is not None and test(char)
        if inside and start is None:
            start = code
        if not inside and start is not None:
            entries.append(f"{start:x}" if code - 1 == start else f"{start:x}-{code - 1:x}")
            start = None
    print(name, *entries)


def mapped(name, fold, default):
    """Characters that something maps to another text than a default."""
    entries = []
    for char in CHARS:
        if not 0xD800 <= ord(char) < 0xE000 and fold(char) != default(char):
            entries.append(f"{ord(char):x}=" + "+".join(f"{ord(c):x}" for c in fold(char)))
    print(name, *entries)


ranges("digit", lambda c: c.isdigit() and unicodedata.category(c) != "Nd")
ranges("numeric", lambda c: c.isnumeric() and not c.isdigit())
ranges("lower", lambda c: c.islower() and unicodedata.category(c) != "Ll")
ranges("upper", lambda c: c.isupper() and unicodedata.category(c) != "Lu")
mapped("title", lambda c: c.title(), str.upper)
mapped("fold", str.casefold, str.lower)

for char in CHARS:
    code = ord(char)
    if unicodedata.category(char) == "Ll" and not char.islower():
        sys.exit(f"U+{code:04X} is no lower-case letter")
    if unicodedata.category(char) == "Lu" and not char.isupper():
        sys.exit(f"U+{code:04X} is no upper-case letter")
