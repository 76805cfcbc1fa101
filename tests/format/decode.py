"""Reads records back to the bytes they were made of, by nothing but the standard library and what the formats say.

Words: the folder of records, and in how many goes the fields of frames are filled. The parsers here are strict: RFC 5424's
grammar, JSON, and CEF with none of the liberties that receivers take (pycef, the one on PyPI, takes no escape in the
header and undoes none in values). Out comes one line of JSON: how many records there were, how many values came back
whole, and how many cut, as their record said. A mistake ends it.
"""

import json
import re
import sys
from pathlib import Path

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
NAME = re.compile(r"[!#-<>-\\^-~]{1,32}\Z")
GRAPHIC = re.compile(r"[!-~]{1,255}\Z")
ELLIPSIS = "…"


class Mistake(Exception):
    pass


def ensure(holds, what):
    if not holds:
        raise Mistake(what)


def original(text):
    """The bytes of a text: U+EF80 to U+EFFF are one byte each, all others their UTF-8."""
    parts = re.split("([\uef80-\uefff])", text)
    return b"".join(bytes([ord(part) - 0xEF00]) if at % 2 else part.encode() for at, part in enumerate(parts))


def inner(text):
    """Undoes what values of CEF and structured data have within: `\\\\` and `\\uXXXX`."""

    def one(escape):
        ensure(escape[1], f"a backslash that escapes nothing in {text!r}")
        return "\\" if escape[1] == "\\" else chr(int(escape[1][1:], 16))

    # Two units beyond U+FFFF become one character.
    units = re.sub(r"\\(\\|u[0-9a-f]{4}|)", one, text)
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def unescape(text, escapes):
    """Undoes a format's own escapes; a backslash before anything else is a mistake."""

    def one(escape):
        ensure(escape[1] in escapes, f"{escape[0]} in {text!r}")
        return escapes[escape[1]]

    return re.sub(r"\\(.?)", one, text, flags=re.DOTALL)


def frames(stream):
    """RFC 6587 section 3.4.1: a count, a blank, as many octets."""
    at = 0
    while at < len(stream):
        blank = stream.index(b" ", at)
        count = stream[at:blank].decode("ascii")
        ensure(re.fullmatch(r"[1-9]\d{0,4}", count), f"a count of {count!r}")
        end = blank + 1 + int(count)
        ensure(end <= len(stream), "a frame that is not all there")
        yield stream[blank + 1 : end]
        at = end


def syslog(frame):
    """RFC 5424 section 6: parameters of the one element, and the message."""
    ensure(len(frame) <= 8000, f"{len(frame)} bytes")
    text = frame.decode("utf-8")
    ensure(not re.search("[\x00-\x1f\x7f-\x9f]", text), "a control character")
    head = re.match(r"<(0|[1-9]\d{0,2})>1 (\S+) (\S+) (\S+) (\S+) (\S+) (?=\[)", text)
    ensure(head, f"no head: {text[:99]!r}")
    ensure(int(head[1]) <= 191 and TIME.match(head[2]), f"no head: {head[0]!r}")
    ensure(all(GRAPHIC.match(head[n]) for n in range(3, 7)), f"no head: {head[0]!r}")
    ensure(head[4] == "tidewaiter" and head[6] == "alert", f"not ours: {head[0]!r}")
    at = head.end() + 1
    element = re.compile(r"tidewaiter@32473").match(text, at)
    ensure(element, "another element of structured data")
    at, parameters = element.end(), {}
    while text[at] == " ":
        name = re.compile(r' ([^ ="\]]+)="').match(text, at)
        ensure(name and NAME.match(name[1]), f"no parameter: {text[at:at + 40]!r}")
        at = name.end()
        start = at
        while text[at] != '"':
            ensure(text[at] != "]", "an unescaped bracket")
            at += 2 if text[at] == "\\" else 1
        ensure(name[1] not in parameters, f"{name[1]} twice")
        parameters[name[1]] = inner(unescape(text[start:at], {'"': '"', "\\": "\\", "]": "]"}))
        at += 1
    ensure(text[at : at + 2] == "] ", f"the element ends with {text[at:at + 9]!r}")
    message = text[at + 2 :]
    ensure(message and message[0] != "\ufeff", "a byte order mark")
    return parameters, message


def once(pairs):
    found = dict(pairs)
    ensure(len(found) == len(pairs), "a key twice")
    return found


def parsed_json(text):
    """The standard library's, which takes the last of two equal keys unless it is told not to."""
    return json.loads(text, object_pairs_hook=once)


def parsed_cef(line):
    """Header of seven fields between bars; then pairs, whose values have no bare `=`."""
    ensure(line.startswith("CEF:0|"), f"no CEF: {line[:40]!r}")
    parts = re.split(r"(?<!\\)((?:\\\\)*)\|", line, maxsplit=7)
    # The group is what stands before the bar.
    fields = [a + b for a, b in zip(parts[0:14:2], parts[1:14:2])]
    ensure(len(fields) == 7, f"{len(fields)} fields in the header")
    header = [inner(unescape(field, {"\\": "\\", "|": "|"})) for field in fields[1:]]
    pairs = {}
    rest = parts[14]
    starts = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", rest))
    ensure(starts and starts[0].start() == 0, "no pair behind the header")
    for start, following in zip(starts, starts[1:] + [None]):
        value = rest[start.end() : following.start() if following else len(rest)]
        ensure(not re.search(r"(?<!\\)(?:\\\\)*=", value), f"a bare = in {value!r}")
        ensure(value == value.strip(), f"a blank at an end of {value!r}")
        ensure(start[1] not in pairs, f"{start[1]} twice")
        pairs[start[1]] = inner(unescape(value, {"\\": "\\", "=": "=", "n": "\n", "r": "\r"}))
    ensure(header[5] in {str(n) for n in range(11)}, f"a severity of {header[5]!r}")
    return header, pairs


def at(value, pointer):
    for key in pointer.split("/"):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def members(value):
    """What a list that became text holds, as far as it is all there."""
    return parsed_json(value)[0]


# Where the string stands, by group; of `foreign` ones it was text before. Behind the bar what stands around it.
ECS = [
    (0, "process/args/1", "bytes", ""),
    (0, "process/command_line", "bytes", "prog | end"),
    (0, "file/path", "bytes", ""),
    (0, "tidewaiter/files/0", "bytes", ""),
    (0, "tidewaiter/steps/2/path", "bytes", ""),
    (0, "container/name", "foreign", ""),
    (0, "container/image/name", "foreign", ""),
    (1, "process/working_directory", "bytes", ""),
    (1, "tidewaiter/process/terminal", "bytes", ""),
    (1, "tidewaiter/steps/0/command_line", "bytes", ""),
    (1, "destination/domain", "foreign", ""),
    (2, "process/executable", "bytes", ""),
    (2, "tidewaiter/process/interpreter", "bytes", ""),
    (2, "tidewaiter/executable/writer/executable", "bytes", ""),
    (2, "tidewaiter/executable/writer/command_line", "bytes", ""),
    (2, "tidewaiter/steps/1/program", "bytes", ""),
    (3, "process/user/name", "bytes", ""),
    (3, "process/parent/executable", "bytes", ""),
    (3, "process/parent/command_line", "bytes", ""),
    (3, "rule/name", "foreign", ""),
    (3, "orchestrator/namespace", "foreign", ""),
    (3, "orchestrator/resource/name", "foreign", ""),
    (3, "orchestrator/resource/id", "foreign", ""),
    (3, "orchestrator/resource/label/0", "foreign", "l=|"),
    (3, "orchestrator/resource/parent/type", "foreign", ""),
    (3, "orchestrator/resource/parent/name", "foreign", ""),
    (3, "tidewaiter/pod/service_account", "foreign", ""),
    (3, "tidewaiter/pod/node", "foreign", ""),
]
OCSF = [
    (0, "evidences/0/process/cmd_line", "bytes", "prog | end"),
    (0, "evidences/0/file/path", "bytes", ""),
    (0, "unmapped/process/args/1", "bytes", ""),
    (0, "evidences/0/container/name", "foreign", ""),
    (0, "evidences/0/container/image/name", "foreign", ""),
    (0, "resources/0/name", "foreign", ""),
    (1, "evidences/0/process/working_directory", "bytes", ""),
    (1, "evidences/0/process/session/terminal", "bytes", ""),
    (1, "unmapped/tidewaiter/steps/0/command_line", "bytes", ""),
    (1, "evidences/0/dst_endpoint/hostname", "foreign", ""),
    (2, "evidences/0/process/path", "bytes", ""),
    (2, "evidences/0/process/file/path", "bytes", ""),
    (2, "unmapped/tidewaiter/executable/writer/command_line", "bytes", ""),
    (3, "evidences/0/process/user/name", "bytes", ""),
    (3, "evidences/0/process/parent_process/path", "bytes", ""),
    (3, "evidences/0/process/parent_process/cmd_line", "bytes", ""),
    (3, "finding_info/title", "foreign", ""),
    (3, "finding_info/analytic/name", "foreign", ""),
    (3, "resources/1/namespace", "foreign", ""),
    (3, "resources/1/name", "foreign", ""),
    (3, "resources/1/labels/0", "foreign", "l=|"),
]
CEF = [
    (0, "cs1", "bytes", "prog | end"),
    (0, "filePath", "bytes", ""),
    (0, "cs3", "foreign", ""),
    (0, "cs4", "foreign", ""),
    (1, "tidewaiterDirectory", "bytes", ""),
    (1, "tidewaiterTerminal", "bytes", ""),
    (1, "dhost", "foreign", ""),
    (2, "sproc", "bytes", ""),
    (3, "suser", "bytes", ""),
    (3, "tidewaiterParent", "bytes", ""),
    (3, "tidewaiterParentCommandLine", "bytes", ""),
]
CEF_LISTS = [(0, "tidewaiterFiles", "bytes", ""), (3, "tidewaiterLabels", "foreign", "l=|")]


class Count:
    def __init__(self):
        self.whole = self.cut = self.records = 0

    def value(self, text, expected, around, was_cut, where):
        """All of it, or, where the record says that it was cut, its beginning."""
        before, _, after = around.partition("|")
        expected = before.encode() + expected + after.encode()
        if text is not None and original(text) == expected:
            self.whole += 1
            return
        ensure(was_cut, f"{where}: {text!r} is not {expected!r}")
        self.cut += 1
        if text is not None:
            ensure(text.endswith(ELLIPSIS), f"{where}: {text!r} does not say that it was cut")
            ensure(expected.startswith(original(text[:-1])), f"{where}: {text!r} is no beginning of {expected!r}")

    def document(self, text, told, fields, groups):
        document = parsed_json(text)
        own = document.get("tidewaiter") or document["unmapped"].get("tidewaiter", {})
        was_cut = own.get("truncated", False)
        for group, pointer, kind, around in fields:
            if group in groups:
                try:
                    found = at(document, pointer)
                except (KeyError, IndexError):
                    found = None
                self.value(found, told[kind], around, was_cut, pointer)
        return document

    def cef(self, text, told):
        header, pairs = parsed_cef(text)
        was_cut = pairs.get("tidewaiterTruncated") == "true"
        self.value(header[4], told["foreign"], "", was_cut, "the header")
        for _, key, kind, around in CEF:
            self.value(pairs.get(key), told[kind], around, was_cut, key)
        for _, key, kind, around in CEF_LISTS:
            if was_cut:
                continue
            self.value(members(pairs[key]), told[kind], around, was_cut, key)
        return pairs

    def name(self, parameters, told):
        found = parameters["container_name"]
        was_cut = found.endswith(ELLIPSIS)
        self.value(found, told["foreign"], "", was_cut, "container_name")


def run(folder, goes):
    expected = [
        {kind: bytes.fromhex(text) for kind, text in json.loads(line).items()}
        for line in (folder / "expected").read_text().splitlines()
    ]
    count, every = Count(), range(goes)
    for name in ("ecs", "ocsf", "cef"):
        content = (folder / f"{name}.lines").read_bytes()
        lines = content.split(b"\n")
        ensure(lines.pop() == b"" and len(lines) == len(expected), f"{len(lines)} lines of {name}")
        # Whoever splits at what else Unicode takes for the end of a line finds as many.
        ensure(len(content.decode().splitlines()) == len(expected), f"other ends of lines in {name}")
        for number, (line, told) in enumerate(zip(lines, expected), 1):
            line = line.decode("utf-8")
            if name == "cef":
                ensure(count.cef(line, told)["cn1"] == str(number), "another number")
            else:
                count.document(line, told, ECS if name == "ecs" else OCSF, every)
            count.records += 1
    for name in ("ecs", "ocsf", "cef"):
        goes_here = goes if name == "ecs" else 1
        number = 0
        for frame in frames((folder / f"{name}.frames").read_bytes()):
            parameters, message = syslog(frame)
            told, group = expected[number // goes_here], number % goes_here
            groups = [group] if goes_here > 1 else every
            ensure(parameters["seq"] == str(number // goes_here + 1), "another number")
            if name == "cef":
                count.cef(message, told)
            else:
                count.document(message, told, ECS if name == "ecs" else OCSF, groups)
            if 0 in groups:
                count.name(parameters, told)
            number += 1
        ensure(number == len(expected) * goes_here, f"{number} frames of {name}")
        count.records += number
    return {"strings": len(expected), "records": count.records, "whole": count.whole, "cut": count.cut}


if __name__ == "__main__":
    try:
        print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]))))
    except Mistake as mistake:
        sys.exit(f"{mistake}")
