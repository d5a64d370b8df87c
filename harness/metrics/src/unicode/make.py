"""Writes `categories.bin`: the general category of every code point, as the Python that runs this script knows it.

The file is a list of runs. A run is one byte, the category's place in `CATEGORIES` of `mod.rs`, and its length as an unsigned LEB128
number.

    python3 harness/metrics/src/unicode/make.py
"""

import pathlib
import sys
import unicodedata

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn".split()
VERSION = "14.0.0"

if unicodedata.unidata_version != VERSION:
    sys.exit(f"expected a Python with Unicode {VERSION}, as CPython 3.11 is, found {unicodedata.unidata_version}")

runs = []
for code in range(sys.maxunicode + 1):
    place = CATEGORIES.index(unicodedata.category(chr(code)))
    if runs and runs[-1][0] == place:
        runs[-1][1] += 1
    else:
        runs.append([place, 1])

for code in range(sys.maxunicode + 1):
    if unicodedata.category(chr(code)) == "Nd":
        first = code
        while first > 0 and unicodedata.category(chr(first - 1)) == "Nd":
            first -= 1
        if unicodedata.decimal(chr(code)) != (code - first) % 10:
            sys.exit(f"the value of U+{code:04X} does not follow from its place")

written = bytearray()
for place, length in runs:
    written.append(place)
    while length >= 0x80:
        written.append(length & 0x7F | 0x80)
        length >>= 7
    written.append(length)
(pathlib.Path(__file__).parent / "categories.bin").write_bytes(written)
