"""What pySigma makes of rules: each becomes SQL, and SQLite says which events it matches.

Words: a file of rules, a file of events; one JSON text a line. A rule is {"text": YAML, "events": [from, to]}: the
half-open range of events it is asked of. An event is an object of texts and numbers. Out comes a line for each
rule, in order: {"events": [...]} with the positions of what it matches, or {"refused": "why"}.
"""

import json
import re
import sqlite3
import sys
from functools import lru_cache

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

TABLE = "logs"


@lru_cache(maxsize=None)
def compiled(pattern):
    return re.compile(pattern)


def regexp(pattern, value):
    """SQLite leaves `REGEXP` to its host: a search, as the operator of other databases is."""
    return value is not None and compiled(pattern).search(str(value)) is not None


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def filled(events):
    """All events in one table. A column has no type, so that a number stays one, and minds no case."""
    names = sorted({name for event in events for name in event})
    database = sqlite3.connect(":memory:")
    database.create_function("REGEXP", 2, regexp, deterministic=True)
    # SQLite bounds the text a LIKE is made of, the depth of a condition; rules and events here are small.
    columns = ", ".join(quoted(name) + " COLLATE NOCASE" for name in names)
    database.execute(f"CREATE TABLE {TABLE} (number INTEGER PRIMARY KEY, {columns})")
    places = ", ".join("?" * (len(names) + 1))
    database.executemany(
        f"INSERT INTO {TABLE} VALUES ({places})",
        ([number, *(event.get(name) for name in names)] for number, event in enumerate(events)),
    )
    return database, {name.lower() for name in names}


def answer(database, columns, backend, rule):
    """Where one rule matches."""
    collection = SigmaCollection.from_yaml(rule["text"])
    first, end = rule["events"]
    found = set()
    for sigma_rule in collection.rules:
        for field in backend.required_fields(sigma_rule):
            if field.lower() not in columns:
                database.execute(f"ALTER TABLE {TABLE} ADD COLUMN {quoted(field)} COLLATE NOCASE")
                columns.add(field.lower())
    for query in backend.convert(collection):
        start = f"SELECT * FROM {TABLE} WHERE "
        if not query.startswith(start):
            raise ValueError(f"this is no query of events: {query}")
        condition = query[len(start):]
        rows = database.execute(
            f"SELECT number FROM {TABLE} WHERE number >= ? AND number < ? AND ({condition})", (first, end)
        )
        found.update(number for (number,) in rows)
    return sorted(found)


def main(rules, events):
    database, columns = filled(lines(events))
    backend = sqliteBackend(collate_nocase=True)
    for rule in lines(rules):
        try:
            result = {"events": answer(database, columns, backend, rule)}
        # Whatever a rule does to it, the others are still to be asked; the test judges the reason.
        except Exception as error:
            result = {"refused": f"{type(error).__name__}: {error}"}
        print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
