"""What validators of others say of bundles, as JSON: run by a Python that has them, without the network.

python outside_validators.py BUNDLE[:BUNDLE…] PUBLIC_KEY…

Of the crates behind the first one, only the first failing check.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_RUN = "ParameterConnection connection sourceParameter targetParameter md5 sha1 sha256 sha512".split()
#: What the contexts of a crate's metadata are, which are on the network: that of RO-Crate 1.1, and its terms of runs.
CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": json.loads((HERE / "contexts/ro-crate-1.1.jsonld").read_text()),
    "https://w3id.org/ro/terms/workflow-run/context": {
        "@context": {name: f"https://w3id.org/ro/terms/workflow-run#{name}" for name in _RUN}
    },
}


def of_crates(bundle: Path, *, first_only: bool) -> list[str]:
    """Every check of Workflow Run Crate 0.5, and the profiles and RO-Crate 1.1 that it extends, that fails."""
    from rocrate_validator import models, services
    from rocrate_validator.utils.http import HttpRequester

    HttpRequester.get = HttpRequester.head = answered
    settings = models.ValidationSettings(
        rocrate_uri=str(bundle),
        profile_identifier="workflow-run-crate",
        requirement_severity=models.Severity.RECOMMENDED,
        validate_profile_checks=False,  # of the profiles themselves
        abort_on_first=first_only,
        cache_path=Path(tempfile.mkdtemp()) / "cache",
    )
    issues = services.validate(settings).get_issues()
    return sorted({f"{issue.severity.name} {issue.check.identifier}: {issue.message}" for issue in issues})


def of_packages(bundle: Path) -> list[str]:
    """Everything that Frictionless finds in the data package, in its descriptor, files, and cells."""
    import frictionless

    frictionless.system.trusted = True
    report = frictionless.Package(str(bundle / "datapackage.json")).validate()
    return [error for (error,) in report.flatten(["message"])] + ([] if report.stats["tasks"] else ["no table"])


def of_statements(bundle: Path, keys: list[str]) -> dict[str, object]:
    """The in-toto statement that the envelope has, whether it is one, and which of the keys have signed it."""
    from google.protobuf import json_format
    from in_toto_attestation.v1 import statement, statement_pb2
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    envelope = Envelope.from_dict(json.loads((bundle / "attestation.json").read_text()))
    said = json.loads(envelope.payload)
    parsed = json_format.ParseDict(said, statement_pb2.Statement())
    statement.Statement.copy_from_pb(parsed).validate()
    signers = []
    for key in keys:
        public = base64.b64decode(key).hex()
        try:
            envelope.verify([SSlibKey(key, "ed25519", "ed25519", {"public": public})], 1)
        except VerificationError:
            continue
        signers.append(key)
    return {
        "type": envelope.payload_type,
        "subjects": {s.name: s.digest["sha256"] for s in parsed.subject},
        "by": signers,
    }


def answered(self: object, url: str, **_: object) -> Any:
    """What the network would say."""
    import requests

    response, said = requests.Response(), CONTEXTS.get(url)
    response.status_code, response.url = 404 if said is None else 200, url
    response.headers["Content-Type"] = "application/ld+json"
    response._content = json.dumps(said).encode()
    return response


if __name__ == "__main__":
    os.environ["HOME"] = tempfile.mkdtemp()
    told = [
        {
            "crate": of_crates(place, first_only=number > 0),
            "package": of_packages(place),
            "statement": of_statements(place, sys.argv[2:]),
        }
        for number, place in enumerate(map(Path, sys.argv[1].split(os.pathsep)))
    ]
    print(json.dumps(told))
