"""The section `audit` of the configuration."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class AuditSettings:
    """Defaults of the options of `pamola-task release`.

    Attributes:
        approvers: Who has to sign a bundle besides the project (`pamola-task approve`): public keys by name.
        recipient: For whom the release is made.
        license: Under which license it is handed over, such as `CC-BY-4.0`.
        terms: A file with the terms of use (`.txt` or `.md`, UTF-8), relative to the project's root.
    """

    approvers: dict[str, str] = attrs.Factory(dict)
    recipient: str = ""
    license: str = ""
    terms: str = ""
