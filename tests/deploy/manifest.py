"""Holds manifests against Kubernetes' schemas, strictly: `manifest.py FILE VERSION...`. A key that a version does not know is a mistake.

Prints the documents as JSON, one a line, for whoever looks further. Kinds of others (monitoring.coreos.com) have no schema here.
"""

import json
import sys

import kubernetes_validate
import yaml

OTHERS = {"monitoring.coreos.com"}

with open(sys.argv[1], encoding="utf-8") as file:
    documents = [document for document in yaml.safe_load_all(file) if document]
mistakes = []
for document in documents:
    print(json.dumps(document))
    if document["apiVersion"].split("/")[0] in OTHERS:
        continue
    for version in sys.argv[2:]:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            place = "/".join(str(step) for step in error.path)
            mistakes.append(f"{document['kind']} in {version}, at {place}: {error.message}")
sys.exit("\n".join(mistakes) or 0)
