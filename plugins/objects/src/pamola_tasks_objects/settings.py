"""The plugin's own section of the configuration: `objects`, and what is wrong with it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from pamola_tasks.errors import DataError
from pamola_tasks.secret import Secret
from pamola_tasks_objects.address import Address, is_address

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, RunServices

_REFERENCE = re.compile(r"\$\{(?:env|secret):")
_SECRETS = ("secret", "session")
_OF = {  # what a root of each kind may have beside url and write
    "s3": ("key", "secret", "session", "region", "endpoint", "insecure"),
    "gs": ("key_file", "endpoint", "insecure"),
    "az": ("account", "secret"),
    "sftp": ("user", "secret", "key_file", "known_hosts"),
}


@attrs.frozen(kw_only=True)
class Root:
    """A folder of an object store or SFTP server that tasks may use.

    Attributes:
        url: The folder: `s3://BUCKET/FOLDER`, `gs://BUCKET/FOLDER`, `az://CONTAINER/FOLDER` or
            `sftp://HOST:PORT/FOLDER`; a whole bucket too. Without user and key.
        write: Whether tasks and `upload` may write files in it.
        key: S3: the id of the access key. Without one, what the machine has: the variables, files or role of AWS.
        secret: The secret of that key (S3), the key of the account (Azure), the user's password or what opens
            `key_file` (SFTP). By reference: `${secret:NAME}` or `${env:NAME}`.
        session: S3: the session token of a temporary key, by reference.
        region: S3: the region of the bucket, such as `eu-central-1`.
        endpoint: S3 and Google: the server, where it is another than the provider's: `https://HOST:PORT`.
        insecure: Allow an endpoint that begins with `http://` and is not on this machine: the network can read and
            change what is sent.
        account: Azure: the storage account. Without `secret`, what the machine has is used.
        user: SFTP: the user.
        key_file: SFTP: the file with the user's private key; Google: that with the key of a service account (without
            one, what the machine has). An absolute path.
        known_hosts: SFTP: the file with the keys of servers, as OpenSSH has it; that of the user unless set. A server
            that is not in it is refused.
    """

    url: str
    write: bool = False
    key: str | Secret | None = None
    secret: str | Secret | None = None
    session: str | Secret | None = None
    region: str | None = None
    endpoint: str | None = None
    insecure: bool = False
    account: str | None = None
    user: str | None = None
    key_file: str | None = None
    known_hosts: str | None = None

    @property
    def address(self) -> Address:
        """The folder as an address."""
        return Address.of(self.url, folder=True)


@attrs.frozen(kw_only=True)
class ObjectsSettings:
    """Object stores and SFTP servers that files are fetched from and uploaded to.

    Attributes:
        roots: Folders that tasks may use, by a name for messages; in the project file only.
        outputs: Datasets that are uploaded besides: by the dataset's name, an address such as
            `s3://research/tables/people.csv`.
    """

    roots: dict[str, Root] = attrs.Factory(dict)
    outputs: dict[str, str] = attrs.Factory(dict)


def revealed(value: str | Secret | None) -> str | None:
    """A value that may be a secret, for the driver that needs it."""
    return value.reveal() if isinstance(value, Secret) else value


def root_of(config: Config, address: Address, *, write: bool = False) -> tuple[str, Root]:
    """Name and settings of the root that an address is in.

    Raises:
        DataError: It is in none, in several, or in one that must not be written.
    """
    settings: ObjectsSettings = config.plugin("objects")
    found = []
    for name, root in settings.roots.items():
        try:
            if address.is_under(root.address):
                found.append(name)
        except DataError:  # of the root, and reported with the configuration
            continue
    if len(found) != 1:
        listed = ", ".join(sorted(found or settings.roots)) or "none"
        where = f"{address} is in several folders of objects.roots: {listed}" if found else ""
        raise DataError(
            where or f"{address} is in no folder that the project file allows under objects.roots: {listed}"
        )
    root = settings.roots[found[0]]
    if write and not root.write:
        raise DataError(
            f"the project file does not let files be written in {root.url}: set objects.roots.{found[0]}.write"
        )
    return found[0], root


def problems(config: Config) -> Iterator[str]:
    """What is wrong with the section `objects` of a configuration, and with addresses of inputs."""
    settings: ObjectsSettings = config.plugin("objects")
    for key, origin in config.origins().items():
        if f"{key}.".startswith("objects.roots.") and origin.value and origin.layer not in ("project file", "default"):
            yield (
                f"{origin.place}: {key}: only the project file can say which folders there are: a task names files in"
                " them"
            )
    for name, root in settings.roots.items():
        for key, said in _of_root(root):
            yield config.problem_at(("objects", "roots", name, key), said)
    for kind in ("input_datasets", "auxiliary_datasets"):
        for name, path in getattr(config, kind).items():
            if is_address(path) and (said := _of_address(config, str(path))):
                yield config.problem_at((kind, name), said)
    for name, path in settings.outputs.items():
        if said := _of_address(config, path, write=True):
            yield config.problem_at(("objects", "outputs", name), said)
    if len(set(settings.outputs.values())) < len(settings.outputs):
        yield "objects.outputs: two datasets have the same address"


def _of_address(config: Config, text: str, *, write: bool = False) -> str:
    try:
        root_of(config, Address.of(text), write=write)
    except DataError as problem:
        return str(problem)
    return ""


def _of_root(root: Root) -> Iterator[tuple[str, str]]:
    """What is wrong with a root, by key. What it holds is not shown."""
    try:
        scheme = root.address.scheme
    except DataError as problem:
        yield "url", str(problem)
        return
    for field in attrs.fields(Root):
        if field.name not in ("url", "write", *_OF[scheme]) and getattr(root, field.name) != field.default:
            yield field.name, f"it does nothing for {scheme}://: {', '.join(_OF[scheme])} are there"
    for key in ("key_file", "known_hosts"):
        if (path := getattr(root, key)) and not path.startswith(("/", "~/")) and not re.match(r"[A-Za-z]:[\\/]", path):
            yield key, "it is not an absolute path"
    if (root.key is None) != (root.secret is None) and scheme == "s3":
        yield "key" if root.key else "url", "give the id of the key and its secret, or neither"
    if scheme == "az" and not root.account:
        yield "account", "name the storage account"
    if scheme == "sftp" and not root.user:
        yield "user", "name the user of the server"
    if root.endpoint and (said := _of_endpoint(root.endpoint, insecure=root.insecure)):
        yield "endpoint", said


def _of_endpoint(endpoint: str, *, insecure: bool) -> str:
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = None
    if not usable or parts.username or parts.password or parts.query or parts.fragment:
        return "expected https://HOST:PORT, without user, key and parameters"
    if parts.scheme == "https" or insecure or _is_here(str(parts.hostname)):
        return ""
    return "the network can read and change what is sent over http://: use https://, or set insecure: true"


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def written_out(run: RunServices) -> Iterator[str]:
    """Secrets that the configuration has as they are, and not by reference."""
    for layer in run.layers or ():
        roots = (layer.values.get("objects") or {}).get("roots") or {}
        for name, stated in roots.items() if isinstance(roots, dict) else ():
            for key in _SECRETS:
                value: Any = stated.get(key) if isinstance(stated, dict) else None
                if isinstance(value, str) and value and not _REFERENCE.match(value):
                    path = f"objects.roots.{name}.{key}"
                    yield (
                        f"{layer.places.get(path, layer.origin)}: {path}: it is written out: refer to it as"
                        " ${secret:NAME} or ${env:NAME}"
                    )
