"""A bundle in the words of others: a Workflow Run RO-Crate, a Frictionless data package, an in-toto statement.

All of it is made from what the bundle says elsewhere, so that nothing is in it that the bundle does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_LANGUAGE = {
    "@id": "#pamola-tasks",
    "@type": "ComputerLanguage",
    "name": "pamola-tasks",
    "alternateName": "tasks of pamola-tasks",
    "identifier": "urn:pamola-tasks",
    "url": "urn:pamola-tasks",
}
_FORMATS = {
    "csv": "text/csv", "json": "application/json", "jsonl": "application/jsonl", "html": "text/html",
    "md": "text/markdown", "txt": "text/plain", "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip
_TITLES = {
    "dictionary": "Dictionary of the columns",
    "report": "Public report",
    "terms": "Terms of use",
    "read me": "What this is, and how to verify it",
    "workflow": "The steps that made the tables",
    "data package": "Frictionless data package of the tables",
}
WORKFLOW = "workflow.json"
#: What Frictionless calls the type of a column. Others can be written in several ways, so that any text is right.
_TYPES = {"whole number": "integer", "number": "number", "truth value": "boolean", "text": "string"}


def workflow(report: Mapping[str, Any], tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The steps that wrote the released tables, without their settings.

    Args:
        report: The public report.
        tables: The tables, as the manifest has them.
    """
    steps = [{key: step[key] for key in ("name", "version", "writes")} for step in report["operations"]]
    return {"schema": 1, "task": report["task"]["id"], "steps": steps, "tables": [table["file"] for table in tables]}


def crate(manifest: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a Workflow Run RO-Crate 0.5 (RO-Crate 1.1).

    S. Leo and others: Recording provenance of workflow runs with RO-Crate, PLOS ONE 19(9), 2024.

    Args:
        manifest: The manifest, with all files so far.
        report: The public report.
    """
    tables, run = {table["file"]: table for table in manifest["tables"]}, manifest["run"]
    files = [_file(entry, tables.get(entry["path"])) for entry in manifest["files"]]
    named = ", ".join(table["name"] for table in tables.values())
    parameters = [_parameter(table) for table in tables.values()]
    named_license = {"@id": "#license", "@type": "CreativeWork", "name": manifest["license"] or "No license is stated"}
    licenses = [] if manifest["terms"] and not manifest["license"] else [named_license]
    by = (manifest["accepted"] or {}).get("by")
    action = {
        "@id": f"urn:uuid:{run}",
        "@type": "CreateAction",
        "name": f"Run {run} of task {manifest['task']}",
        "description": f"Made {named} by the steps in {WORKFLOW}",
        "startTime": _moment(report["run"]["started"]),
        "endTime": _moment(manifest["finished"]),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "instrument": {"@id": WORKFLOW},
        "result": _compact([{"@id": path} for path in tables]),
    }
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Release of {named}",
        "description": "; ".join(f"{table['name']}: {table['sentence']}" for table in tables.values()),
        "datePublished": manifest["finished"],
        "license": {"@id": "#license" if licenses else manifest["terms"]},
        "conformsTo": [{"@id": profile} for profile in _PROFILES],
        "hasPart": [{"@id": entry["@id"]} for entry in files],
        "mainEntity": {"@id": WORKFLOW},
        "mentions": {"@id": action["@id"]},
    }
    main = next(entry for entry in files if entry["@id"] == WORKFLOW)
    main |= {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": f"Task {manifest['task']}",
        "programmingLanguage": {"@id": _LANGUAGE["@id"]},
        "output": _compact([{"@id": parameter["@id"]} for parameter in parameters]),
    }
    for entry in files:
        if entry["@id"] == "README.md":
            entry["about"] = {"@id": "./"}
        elif entry["@id"] == manifest["terms"]:
            entry["@type"] = ["File", "CreativeWork"]
    person = [{"@id": "#accepted-by", "@type": "Person", "name": by}] if by else []
    if by:
        root["accountablePerson"] = {"@id": "#accepted-by"}
    about = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": [
            {"@id": "https://w3id.org/ro/crate/1.1"},
            {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
        ],
    }
    profiles = [
        {"@id": uri, "@type": "CreativeWork", "name": name, "version": version}
        for uri, (name, version) in _PROFILES.items()
    ]
    graph = [about, root, *files, *parameters, action, _LANGUAGE, *profiles, *licenses, *person]
    return {"@context": _CONTEXT, "@graph": graph}


def _compact(values: list[dict[str, str]]) -> dict[str, str] | list[dict[str, str]]:
    """Several values as a list, one as itself, as RO-Crate 1.1 recommends it."""
    return values[0] if len(values) == 1 else values


def _moment(text: str) -> str:
    """A moment (RFC 3339, UTC) with its offset in digits, which is all that validators of the profile know."""
    return f"{text[:-1]}+00:00" if text.endswith("Z") else text


def _file(entry: Mapping[str, Any], table: Mapping[str, Any] | None) -> dict[str, Any]:
    path = str(entry["path"])
    told: dict[str, Any] = {
        "@id": path,
        "@type": "File",
        "name": f"Table {table['name']}" if table is not None else _TITLES.get(str(entry["content"]), path),
        "encodingFormat": _FORMATS.get(path.rpartition(".")[2], "application/octet-stream"),
        "contentSize": str(entry["bytes"]),
        "sha256": entry["sha256"],
    }
    if table is not None:
        told |= {"description": f"{table['verdict']}: {table['sentence']}"}
        told |= {"exampleOfWork": {"@id": _parameter(table)["@id"]}}
    return told


def _parameter(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@id": f"#output-{table['name']}",
        "@type": "FormalParameter",
        "additionalType": "File",
        "name": str(table["name"]),
        "workExample": {"@id": table["file"]},
    }


def data_package(manifest: Mapping[str, Any], dictionary: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The descriptor of a data package (Frictionless, Data Package 1): each table with dialect and schema.

    Args:
        manifest: The manifest, with all files so far.
        dictionary: The columns of each table, by its name.
    """
    files = {entry["path"]: entry for entry in manifest["files"]}
    told: dict[str, Any] = {
        "profile": "data-package",
        "id": f"urn:uuid:{manifest['run']}",
        "title": f"Release of {', '.join(table['name'] for table in manifest['tables'])}",
        "created": manifest["finished"],
        "resources": [
            resource
            for number, table in enumerate(manifest["tables"], 1)
            for resource in _resource(number, table, files[table["file"]], dictionary[table["name"]])
        ],
    }
    if manifest["license"]:
        told["licenses"] = [{"name": manifest["license"]}]
    return {key: value for key, value in told.items() if value is not None}


def _resource(
    number: int, table: Mapping[str, Any], entry: Mapping[str, Any], columns: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    plain = table["encrypted"] == "none"
    told: dict[str, Any] = {
        "name": f"table-{number}",
        "title": table["name"],
        "description": f"{table['verdict']}: {table['sentence']}",
        "path": table["file"],
        "format": table["format"] if plain else table["encrypted"],
        "mediatype": _FORMATS.get(table["format"] if plain else "", "application/octet-stream"),
        "bytes": entry["bytes"],
        "hash": f"sha256:{entry['sha256']}",
    }
    if plain and table["format"] == "csv":
        told |= {
            "profile": "tabular-data-resource",
            "encoding": table["encoding"],
            "dialect": {"delimiter": table["delimiter"], "quoteChar": table["quotechar"]},
            "schema": {"fields": [*map(_field, columns)], "missingValues": [""]},
        }
    yield told


def _field(column: Mapping[str, Any]) -> dict[str, Any]:
    """A column; where cells were recoded, any text is right."""
    kind = _TYPES.get(column["type"], "any") if column["done"] == "unchanged" else "any"
    return {"name": column["column"], "type": kind, "title": column["role"], "description": column["reading"]}


# ---------------------------------------------------------------- in-toto


def statement(manifest: Mapping[str, Any], manifest_sha256: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """An in-toto statement (v1) on all files of the bundle, with a predicate of SLSA provenance (v1).

    Args:
        manifest: The manifest.
        manifest_sha256: SHA-256 of its file, in hex.
        report: The public report.
    """
    digests = {"manifest.json": manifest_sha256, **{str(e["path"]): str(e["sha256"]) for e in manifest["files"]}}
    decided = {key: manifest[key] for key in ("task", "verdict", "accepted", "recipient", "license", "approvers")}
    claims = {table["name"]: table["claims"] for table in manifest["tables"]}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in digests.items()],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:pamola-tasks:release:1",
                "externalParameters": {key: value for key, value in {**decided, "claims": claims}.items() if value},
                "resolvedDependencies": [],
            },
            "runDetails": {
                "builder": {"id": "urn:pamola-tasks"},
                "metadata": {
                    "invocationId": f"urn:uuid:{manifest['run']}",
                    "startedOn": report["run"]["started"],
                    "finishedOn": manifest["finished"],
                },
            },
        },
    }
