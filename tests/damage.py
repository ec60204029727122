"""Damaged JSON files: every value is replaced by values from damage or another version."""

import copy
import json
from pathlib import Path

NESTED = "nested"  # nested lists, deeper than a parser can read
MISSING = "missing"
_LONGEST = 10  # dictionaries of more numbers are tables, such as the values of a cell
VALUES = {
    "null": None,
    "huge": 10**400,
    "negative": -1,
    "text": "x",
    "list": [],
    "object": {},
    "true": True,
    "large": 1e308,
    "nan": float("nan"),
    NESTED: NESTED,
    MISSING: MISSING,
}


def places(value, path=()):
    """Yield the path of keys to each value in a JSON value; only the first item of lists and tables."""
    if path:
        yield path
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    is_table = len(keys) > _LONGEST and all(isinstance(value[key], float) for key in keys)
    for key in keys[: 1 if is_table or isinstance(value, list) else None]:
        yield from places(value[key], (*path, key))


def damaged(value):
    """Yield (description, text of a JSON file) for each position in a JSON value and each of VALUES."""
    for path in places(value):
        for name, other in VALUES.items():
            changed = copy.deepcopy(value)
            *above, last = path
            inner = changed
            for key in above:
                inner = inner[key]
            if other == MISSING:
                del inner[last]
            else:
                inner[last] = other
            text = json.dumps(changed)
            if other == NESTED:
                text = text.replace(f'"{NESTED}"', "[" * 100_000 + "]" * 100_000)
            yield f"{'.'.join(map(str, path))}: {name}", text


def failures(path: Path, read, errors):
    """Return the exceptions of `read()` for damaged JSON files that are not in `errors`, as lines."""
    before = path.read_text()
    found = []
    try:
        for what, text in damaged(json.loads(before)):
            path.write_text(text)
            try:
                read()
            except errors:
                pass
            except Exception as error:
                found.append(f"{what}: {type(error).__name__}: {error}"[:300])
    finally:
        path.write_text(before)
    return found
