"""Holds OCSF events against the schema that pydantic-ocsf carries within it, strictly.

Words: a file of events, one a line. The package's models refuse wrong types, enumerations and what is missing, but let unknown
attributes pass; here these fail, too, outside of the two places that OCSF leaves open (`unmapped`, and values of type
`json_t`). So does a caption that is not its number's, and a `type_uid` that is not its class's. Out comes how many there were.
"""

import json
import sys

from ocsf.v1_5_0.events import ApplicationLifecycle, DetectionFinding
from ocsf.v1_5_0.objects import Device
from pydantic import BaseModel, ValidationError

CLASSES = {2004: DetectionFinding, 6002: ApplicationLifecycle}
# What the profile `host` adds to a class; the models have no profiles.
HOST = {"device": Device}
# Free by definition: `unmapped` is an object, `data` of evidences is JSON.
OPEN = {"unmapped", "data"}


def strangers(model, path=""):
    """Attributes that the schema does not have."""
    for name in model.model_extra or {}:
        yield f"{path}{name}"
    for name, field in type(model).model_fields.items():
        if name in OPEN:
            continue
        value = getattr(model, name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                yield from strangers(item, f"{path}{field.alias or name}.")


def differences(told, read, path=""):
    """What the models made something else of: a caption that does not fit, a number that was filled in."""
    if isinstance(told, dict) and isinstance(read, dict):
        for key, value in told.items():
            if key not in OPEN:
                yield from differences(value, read.get(key), f"{path}{key}.")
    elif isinstance(told, list) and isinstance(read, list):
        for one, other in zip(told, read, strict=True):
            yield from differences(one, other, path)
    elif isinstance(told, str) and isinstance(read, str):
        # The models strip some texts.
        if told.strip() != read.strip():
            yield f"{path[:-1]}: {told!r} became {read!r}"
    elif told != read:
        yield f"{path[:-1]}: {told!r} became {read!r}"


def mistakes(event):
    model = CLASSES.get(event.get("class_uid"))
    if model is None:
        return [f"class {event.get('class_uid')}"]
    added = event["metadata"].get("profiles") == ["host"] and HOST or {}
    try:
        read = model.model_validate(event)
        parts = {name: kind.model_validate(event[name]) for name, kind in added.items() if name in event}
    except ValidationError as error:
        return [str(error)]
    found = [f"the schema has no {name}" for name in strangers(read) if name not in added]
    found += [f"the schema has no {name}" for part in parts.values() for name in strangers(part)]
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        found.append("type_uid is another")
    if event["metadata"]["version"] != "1.5.0":
        found.append("another version")
    return found + list(differences(event, read.model_dump(mode="json", exclude_none=True)))


def main(path):
    count = 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            found = mistakes(event)
            if found:
                sys.exit("\n".join([*found, line]))
            count += 1
    print(count)


if __name__ == "__main__":
    main(sys.argv[1])
