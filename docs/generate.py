"""Writes the parts of the manual that follow from the code: hooks, services, commands, configuration keys, errors.

    python docs/generate.py            # write them
    python docs/generate.py --check    # say which are out of date, and end with 1 when any is

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the text round it is written by hand.
Kernel and default plugins have to be installed; what other plugins add is left out.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
import tokenize
import tomllib
import types
from collections import defaultdict
from collections.abc import Callable, Iterator, Set
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
import click

from pamola_tasks import Kernel, errors, hookspecs, protocols
from pamola_tasks.parameters import annotations_of, describe
from pamola_tasks.plugins.calling import kind_of
from pamola_tasks.plugins.discovery import resolve
from pamola_tasks.protocols.services import KERNEL_SERVICES, OUTSIDE_RUNS

DOCS = Path(__file__).parent
GUARDED = {name for name, service in KERNEL_SERVICES.items() if service.guarded}
DEFAULTS = {name: service.default for name, service in {**KERNEL_SERVICES, **OUTSIDE_RUNS}.items()}
ROOT = DOCS.parent
PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.S)
RULE = re.compile(r"^# -{20,} (.+)$")
SECTIONS = ("Args", "Returns", "Raises", "Attributes", "Yields")


def ours(distribution: str) -> bool:
    """Whether a plugin is one of this project's."""
    return distribution.startswith(("pamola-tasks-", "pamola-ops-"))


# ---------------------------------------------------------------- docstrings


def markdown_of(doc: str) -> str:
    """A Google-style docstring as Markdown."""
    lines: list[str] = []
    section = ""
    item = re.compile(r"    (\w[\w, ]*): (.*)")
    for line in inspect.cleandoc(doc).split("\n"):
        if line.rstrip(":") in SECTIONS and line.endswith(":"):
            section = line.rstrip(":")
            lines += ["", f"**{section}**", ""]
        elif section and line.startswith("    "):
            found = item.match(line) if section != "Returns" else None
            if found:
                lines.append(f"- `{found[1]}`: {found[2]}")
            elif section == "Returns":
                lines.append(line[4:])
            else:
                lines.append(f"  {line.strip()}")
        else:
            section = "" if line else section
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def signature_of(node: ast.FunctionDef) -> str:
    """`name(a: int, b: str) -> bool`, `self` left out."""
    arguments = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    whole = f"{node.name}({arguments}){returns}"
    if len(whole) <= 100:
        return whole
    parts = ",\n".join(f"    {part}" for part in split_arguments(arguments))
    return f"{node.name}(\n{parts},\n){returns}"


def split_arguments(arguments: str) -> list[str]:
    """Arguments one by one; commas within brackets do not part them."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(arguments):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(arguments[start:index].strip())
            start = index + 1
    return [*parts, arguments[start:].strip()]


def code(text: str, language: str = "python") -> list[str]:
    """A block that is shown and not run."""
    return [f"```{{code-block}} {language}", text, "```", ""]


# ---------------------------------------------------------------- hooks


def hooks() -> Iterator[str]:
    source = inspect.getsource(hookspecs)
    functions = [
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name.startswith("pamola_")
    ]
    phases = {number: found[1] for number, line in enumerate(source.split("\n"), 1) if (found := RULE.match(line))}
    for node in functions:
        for number in [number for number in phases if number < node.lineno]:
            yield f"## {phases.pop(number).capitalize()}\n"
        yield f"### {node.name}\n"
        kind = kind_of(node.name)
        default = DEFAULTS[node.name.removeprefix("pamola_provide_")] if kind == "service" else None
        yield f"*{kind.capitalize()}*" + (
            f", provided by `{default}` unless another plugin does.\n" if default else ".\n"
        )
        yield from code(signature_of(node))
        yield markdown_of(ast.get_docstring(node) or "") + "\n"
        yield from links_to(names_in(node), "hooks")


VALUES = (  # that hooks give and get, and the page of services describes
    "ConfigLayer",
    "Origin",
    "RetrySettings",
    "DatasetFormat",
    "ReportSection",
    "ReportWriter",
    "Diagnosis",
    "TaskNode",
    "TaskOutcome",
    "PlannedTask",
    "Disclosure",
)


def provided() -> dict[str, str]:
    """The type of each service that plugins provide, in the order in which they start."""
    found = {
        node.name.removeprefix("pamola_provide_"): ast.unparse(node.returns).removeprefix("protocols.")
        for node in ast.parse(inspect.getsource(hookspecs)).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("pamola_provide_") and node.returns is not None
    }
    return {service: found[service] for service in [*protocols.SERVICES, "scheduler"] if service in found}


def services() -> Iterator[str]:
    for service, name in provided().items():
        yield f"## {service}\n"
        yield f"`{name}`, from `pamola_provide_{service}`.\n"
        yield from described(getattr(protocols, name), "services")
    yield "## Values that hooks give and get\n"
    for name in VALUES:
        yield f"### {name}\n"
        yield from described(getattr(protocols, name), "services")


# ---------------------------------------------------------------- types

MORE_TYPES = ("StepOptions", "SavedOutput", "Plugins", "PluginRecord", "RegisteredOperation", "TaskRunner")


def names_in(node: ast.AST) -> set[str]:
    """Names in the annotations of a function or class."""
    found: set[str] = set()
    for each in ast.walk(node):
        annotation = each.annotation if isinstance(each, ast.arg | ast.AnnAssign) else None
        annotation = each.returns if isinstance(each, ast.FunctionDef) else annotation
        for part in ast.walk(annotation) if annotation is not None else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                found.add(part.value)
            elif isinstance(part, ast.Name | ast.Attribute):
                found.add(part.id if isinstance(part, ast.Name) else part.attr)
    return found


@cache
def type_named(name: str) -> type | None:
    """The class of the kernel, or of the earlier interface, that a name in a signature means."""
    homes = ("protocols", "", "plan", "record", "registry", "plugins.manager", "plugins.discovery")
    modules = [f"pamola_tasks.{home}".rstrip(".") for home in homes]
    for module in (*modules, "pamola_tasks_compat.task_runner"):
        value = getattr(import_module(module), name, None)
        if isinstance(value, type) and value.__module__.startswith("pamola_tasks"):
            return value
    return None


def in_signatures() -> set[str]:
    """Types of ours in signatures of hooks and protocols."""
    front = [value for name in dir(protocols) if isinstance(value := getattr(protocols, name, None), type)]
    ours_of = [cls for cls in front if cls.__module__.startswith("pamola_tasks.protocols")]
    found = names_in(ast.parse(inspect.getsource(hookspecs)))
    for cls in ours_of:
        found |= names_in(ast.parse(inspect.getsource(cls)))
    return {name for name in found if type_named(name) is not None}


@cache
def type_pages() -> dict[str, str]:
    """Where each public type is described: page and anchor."""
    found = {name: f"services.md#{service}" for service, name in provided().items()}
    found |= {name: f"services.md#{name.lower()}" for name in VALUES}
    front = {name for name in import_module("pamola_tasks").__all__ if type_named(name) is not None}
    for name in sorted({*in_signatures(), *front, *MORE_TYPES}):
        found.setdefault(name, f"types.md#{name.lower()}")
    return found | {"PamolaTaskError": "errors.md"}


def links_to(names: set[str], page: str) -> Iterator[str]:
    """A line that links the types that a signature names."""
    linked = {name: type_pages()[name].removeprefix(f"{page}.md") for name in sorted(names) if name in type_pages()}
    if linked:
        yield "Types: " + ", ".join(f"[`{name}`]({target})" for name, target in linked.items()) + "\n"


def class_described(name: str) -> type:
    """The class whose text describes a public type."""
    cls = type_named(name)
    assert cls is not None
    return cls.__mro__[1] if name == "BaseTask" else cls  # which only finds its kernel by itself


def without_meaning(name: str, keys: Set[str] = frozenset()) -> list[str]:
    """Public attributes of a type, but for configuration keys, that neither a comment nor a docstring explains, and
    methods of protocols.

    One whose type is a public type of the same name (`places: Places`) is explained by that; so is what a protocol is
    said to have as another class documents it.
    """
    source = inspect.getsource(class_described(name))
    (node,), lines = ast.parse(source).body, source.split("\n")
    assert isinstance(node, ast.ClassDef)
    doc, found = ast.get_docstring(node) or "", []
    is_protocol = "Protocol" in map(ast.unparse, node.bases)
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            attribute, annotation = item.target.id, ast.unparse(item.annotation)
            explained = (
                "#" in "".join(lines[item.lineno - 1 : item.end_lineno]) or lines[item.lineno - 2].strip()[:1] == "#"
            )
            explained = explained or annotation == "".join(map(str.capitalize, attribute.split("_")))
        elif isinstance(item, ast.FunctionDef) and any(ast.unparse(each) == "property" for each in item.decorator_list):
            attribute, explained = item.name, bool(ast.get_docstring(item))
        elif isinstance(item, ast.FunctionDef) and is_protocol:
            attribute = item.name
            explained = bool(ast.get_docstring(item) or comment_of(source, item))
            explained = explained or bool(documented_elsewhere(class_described(name), attribute))
        else:
            continue
        explained = explained or attribute in keys or bool(re.search(rf"\b{attribute}\b", doc)) or "documents it" in doc
        found += [] if explained or attribute.startswith("_") else [attribute]
    return found if doc else ["its docstring", *found]


def public_types() -> Iterator[str]:
    for name, target in type_pages().items():
        if target.startswith("types.md"):
            cls = class_described(name)
            yield f"## {name}\n"
            yield f"From `{'pamola_tasks' if hasattr(import_module('pamola_tasks'), name) else cls.__module__}`.\n"
            yield from described(cls, "types")


def described(cls: type, page: str) -> Iterator[str]:
    source = inspect.getsource(cls)
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.ClassDef)
    yield markdown_of(ast.get_docstring(node) or "") + "\n"
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    if fields:
        yield from code("\n".join(line for item in fields for line in field_lines(source.split("\n"), item)))
    shown: list[str] = []  # methods that the class's own text documents stand in one block
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and (not item.name.startswith("_") or item.name == "__call__"):
            is_property = any(ast.unparse(decorator) == "property" for decorator in item.decorator_list)
            signature = signature_of(item)
            if is_property:
                signature = signature.replace("()", "").replace(" ->", ":")
            doc = ast.get_docstring(item) or comment_of(source, item) or documented_elsewhere(cls, item.name)
            if shown and doc:
                yield from code("\n".join(shown))
                shown = []
            shown.append(signature)
            if doc:
                yield from code("\n".join(shown))
                yield markdown_of(doc) + "\n"
                shown = []
    if shown:
        yield from code("\n".join(shown))
    yield from links_to(names_in(node) - {cls.__name__}, page)


def comment_of(source: str, method: ast.FunctionDef) -> str:
    """What a comment `#:` behind a method without a body says of it, or above it."""
    lines = source.split("\n")
    above, own = lines[method.lineno - 2].strip(), lines[(method.end_lineno or method.lineno) - 1]
    found = own.partition("  #: ")[2] or (above.removeprefix("#: ") if above.startswith("#: ") else "")
    return f"{found[:1].upper()}{found[1:]}." if found else ""


def documented_elsewhere(cls: type, method: str) -> str:
    """The docstring of a method in the class that documents a protocol, as the protocol's docstring says."""
    doc = inspect.getdoc(cls) or ""
    named = re.search(r"`(pamola_tasks[\w.]*)\.([A-Z]\w+)`", doc) if "document" in doc else None
    if named is None:
        return ""
    found = inspect.getattr_static(getattr(import_module(named[1]), named[2]), method, None)
    return inspect.cleandoc(getattr(found, "__doc__", None) or "")


def field_lines(source: list[str], field: ast.AnnAssign) -> Iterator[str]:
    """A field as its class states it, with the comments that say what it is (`#:`)."""
    first = field.lineno - 1
    while source[first - 1].strip().startswith("#:"):
        first -= 1
    for line in source[first : field.end_lineno]:
        yield line.removeprefix("    ").replace("#: ", "# ")


# ---------------------------------------------------------------- commands


def commands() -> Iterator[str]:
    kernel = Kernel(project=DOCS)
    named: dict[str, tuple[str, str]] = {}
    for record, answer in kernel.plugins.each("pamola_add_commands"):
        if ours(record.distribution):
            named |= {name: (command.target, f"`{record.distribution}`") for name, command in answer.items()}
    for name, (target, owner) in sorted(named.items()):
        yield f"## {name}\n"
        yield f"From {owner}.\n"
        yield from help_of(resolve(target), f"pamola-task {name}")


def help_of(command: click.Command, path: str) -> Iterator[str]:
    """Usage, help and options; not click's own text, whose form differs between its releases."""
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    words = [path, *(["[OPTIONS]"] if options else []), *map(argument_of, arguments)]
    yield from code(" ".join(words + (["COMMAND"] if isinstance(command, click.Group) else [])), "text")
    yield inspect.cleandoc(command.help or "") + "\n"
    if options:
        yield "| option | meaning |"
        yield "|---|---|"
        yield from (option_of(option) for option in options)
        yield ""
    if isinstance(command, click.Group):
        for inner, subcommand in sorted(subcommands(command).items()):
            yield f"### {path.removeprefix('pamola-task ')} {inner}\n"
            yield from help_of(subcommand, f"{path} {inner}")


def subcommands(group: click.Group) -> dict[str, click.Command]:
    from pamola_tasks_cli.app import Invocation

    context = click.Context(group, obj=Invocation(str(DOCS)))
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def argument_of(argument: click.Argument) -> str:
    if isinstance(argument.type, click.Choice):
        return "{" + "|".join(argument.type.choices) + "}"
    text = argument.metavar or (argument.name or "").upper()
    return text if argument.required or text.startswith("[") else f"[{text}]"


def option_of(option: click.Option) -> str:
    names = ", ".join(option.opts)
    if not option.is_flag:
        choices = "|".join(option.type.choices) if isinstance(option.type, click.Choice) else ""
        names += f" {option.metavar or choices or option.type.name.upper().replace(' RANGE', '')}"
    default = f" Default: {option.default}." if option.show_default else ""
    text = f"{option.help or ''}{default}{' May be repeated.' if option.multiple else ''}".strip()
    cells = [f"`{names}`", text]
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


# ---------------------------------------------------------------- configuration


def keys() -> Iterator[str]:
    from pamola_tasks_config.schema import TaskKeys, kinds, limits

    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for field in attrs.fields(TaskKeys):
        kind = kinds()[field.name]
        if isinstance(kind, type) and attrs.has(kind):
            yield from rows_of(kind, f"{field.name}.")
            continue
        minimum, above = limits().get(field.name, (None, None))
        bound = f", {minimum} or more" if minimum is not None else f", more than {above}" if above is not None else ""
        yield row(field.name, kind, fallback_of(field), f"{field.metadata['doc'].rstrip('.')}{bound}.")


def synonyms() -> Iterator[str]:
    from pamola_tasks_config.schema import SYNONYMS

    yield "| key | read as |"
    yield "|---|---|"
    for section, names in SYNONYMS.items():
        for name, key in names.items():
            yield f"| `{section}.{name}` | `{key}` |"


def rows_of(cls: type, prefix: str) -> Iterator[str]:
    hints, docs = annotations_of(cls), attributes_of(cls)
    for field in attrs.fields(cls):
        yield row(f"{prefix}{field.name}", hints[field.name], fallback_of(field), docs[field.name])


def row(name: str, kind: Any, fallback: str, meaning: str) -> str:
    cells = [f"`{name}`", describe(kind), fallback, meaning]
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def fallback_of(field: attrs.Attribute[Any]) -> str:
    value: Any = field.default
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        value = value.factory()
    if value in ("", None) or value == [] or value == {}:
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def attributes_of(cls: type) -> dict[str, str]:
    """What the comment behind each attribute says, or the docstring."""
    comments = re.findall(r"^    (\w+): .*?  #: (.)(.*)$", inspect.getsource(cls), re.M)
    found = {name: f"{first.upper()}{rest}." for name, first, rest in comments}
    name = ""
    for line in inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")[2].split("\n"):
        start = re.match(r"    (\w+): (.*)", line)
        if start:
            name = start[1]
            found[name] = start[2]
        elif line.startswith("        ") and name:
            found[name] += f" {line.strip()}"
    return found


def sections() -> Iterator[str]:
    kernel = Kernel(project=DOCS)
    for name, cls in sorted(kernel.settings().items()):
        record = kernel.plugins[name]
        if ours(record.distribution):
            yield f"### {name}\n"
            yield f"From `{record.distribution}`. {(cls.__doc__ or '').strip().partition(chr(10))[0]}\n"
            yield "| key | type | default | meaning |"
            yield "|---|---|---|---|"
            yield from rows_of(cls, f"{name}.")
            yield ""


# ---------------------------------------------------------------- operations, services, errors


def operations() -> Iterator[str]:
    kernel = Kernel(project=DOCS)
    for name in kernel.operations:
        found = kernel.operations.get(name)
        if not ours(found.distribution.partition(" ")[0]):
            continue
        yield f"## {name}\n"
        yield f"From `{found.distribution.partition(' ')[0]}`.\n"
        yield markdown_of(found.cls.__doc__ or "") + "\n"
        yield "| parameter | type | default |"
        yield "|---|---|---|"
        hints = annotations_of(found.cls)
        for field in attrs.fields(found.cls):
            default = field.metadata.get("template")
            text = f"`{default}`" if default else "*required*" if field.default is attrs.NOTHING else fallback_of(field)
            yield f"| `{field.alias}` | {describe(hints[field.name])} | {text} |"
        yield ""


def providers() -> Iterator[str]:
    yield "| service | default | guarded |"
    yield "|---|---|---|"
    for service, distribution in DEFAULTS.items():
        yield cells(
            f"`{service}`", f"`{distribution}`" if distribution else "the kernel", "yes" if service in GUARDED else ""
        )


def error_table() -> Iterator[str]:
    yield "| code | class | exit code | meaning |"
    yield "|---|---|---|---|"
    for name, cls in vars(errors).items():
        if isinstance(cls, type) and issubclass(cls, errors.PamolaTaskError) and cls.__name__ == name:
            meaning = (cls.__doc__ or "").strip().partition("\n")[0]
            yield f"| `{cls.code}` | `{name}` | {cls.exit_code} | {meaning} |"


# ---------------------------------------------------------------- architecture, API


def first_line(doc: str | None) -> str:
    """The first sentence of a docstring, on one line."""
    return " ".join((doc or "").strip().partition("\n\n")[0].split())


def docstring_of(path: Path) -> str:
    """The first sentence of a module's docstring."""
    return first_line(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))))


def modules() -> Iterator[str]:
    """The modules of the kernel by layer, lowest first, as the contract of import-linter has them."""
    source = ROOT / "src/pamola_tasks"
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (contract,) = (contract for contract in linter["contracts"] if contract["type"] == "layers")
    yield "| layer | module | purpose |"
    yield "|---|---|---|"
    for number, layer in enumerate(reversed(contract["layers"]), 1):
        for name in layer.split(" : "):
            folder = source / name
            paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [source / f"{name}.py"]
            for path in paths:
                shown = path.relative_to(source).as_posix().removesuffix("/__init__.py")
                yield cells(str(number), f"`{shown}`", docstring_of(path))


def components() -> Iterator[str]:
    """The plugins of this repository, with the hooks that they implement."""
    yield "| distribution | purpose | hooks |"
    yield "|---|---|---|"
    for path in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        (door,) = path.parent.glob("src/*/plugin.py")
        functions = [
            node for node in ast.parse(door.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
        ]
        found = [node.name for node in functions if node.name.startswith("pamola_")]
        yield cells(f"`{project['name']}`", project["description"], ", ".join(f"`{name}`" for name in found) or "–")


def cells(*texts: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(text.replace("|", r"\|") for text in texts) + " |"


def imported_by_plugins() -> dict[str, set[str]]:
    """For each module of the kernel, the names that plugins import from it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in ROOT.glob("plugins/*/src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "pamola_tasks":
                found[node.module or ""] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    package, _, name = alias.name.rpartition(".")
                    if package.partition(".")[0] == "pamola_tasks":
                        found[package].add(name)
    return found


def public() -> dict[str, list[str]]:
    """The public names of the kernel by module: those of its front doors, and those that plugins import."""
    found = imported_by_plugins()
    for module in ("pamola_tasks", "pamola_tasks.testing", "pamola_tasks.testing.contracts"):
        found[module] |= set(import_module(module).__all__)
    for module, names in list(found.items()):
        for name in [name for name in names if is_module(f"{module}.{name}")]:
            value = import_module(f"{module}.{name}")
            found[value.__name__] |= {each for each in vars(value) if defined_in(value, each)}
    front = {name: getattr(import_module("pamola_tasks"), name) for name in found["pamola_tasks"]}
    for module in found.keys() - {"pamola_tasks"}:
        found[module] = {name for name in found[module] if front.get(name) is not value_of(module, name)}
    return {module: sorted(names) for module, names in sorted(found.items()) if names}


def value_of(module: str, name: str) -> Any:
    """What a name of a module stands for; a module of a package too."""
    return import_module(f"{module}.{name}") if is_module(f"{module}.{name}") else getattr(import_module(module), name)


def is_module(name: str) -> bool:
    path = ROOT / "src" / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def defined_in(module: types.ModuleType, name: str) -> bool:
    """Whether a public class or function is a module's own."""
    return not name.startswith("_") and getattr(getattr(module, name), "__module__", None) == module.__name__


def api() -> Iterator[str]:
    for module, names in public().items():
        yield f"## {module}\n"
        yield first_line(import_module(module).__doc__) + "\n"
        yield "| name | meaning |"
        yield "|---|---|"
        for name in names:
            target = type_pages().get(name) if type_named(name) is value_of(module, name) else None
            yield cells(f"[`{name}`]({target})" if target else f"`{name}`", meaning_of(module, name))
        yield ""


def contracts() -> Iterator[str]:
    """The promises of each contract: its tests, each with its docstring."""
    found = dict(vars(import_module("pamola_tasks.testing.contracts")))
    for path in ROOT.glob("plugins/*/src/*/testing.py"):
        found |= vars(import_module(f"{path.parent.name}.testing"))
    for name in sorted(name for name in found if name.endswith("Contract") and name != "Contract"):
        contract = found[name]
        own = [(test, value) for test, value in vars(contract).items() if test.startswith("test_")]
        yield f"## {name}\n"
        said = " ".join((inspect.getdoc(contract) or "").partition("\n\n")[0].split())
        home = contract.__module__.partition(".contracts")
        yield f"{said} From `{home[0]}{home[1]}`.\n"
        if own:
            yield "| test | promise |"
            yield "|---|---|"
            yield from (cells(f"`{test}`", " ".join((inspect.getdoc(value) or "").split())) for test, value in own)
            yield ""


MEANINGS = {
    "__version__": "The version of all distributions.",
    "hookimpl": "Marks a function as the implementation of a hook.",
    "hookspec": "Marks a function as the specification of a hook that a plugin adds.",
}


def meaning_of(module: str, name: str) -> str:
    """The first sentence of a docstring; of a constant the comment above or behind it, else its value."""
    value = value_of(module, name)
    if isinstance(value, types.ModuleType | types.FunctionType | type):
        return first_line(value.__doc__)
    if name in MEANINGS:
        return MEANINGS[name]
    shown = str(value).replace("typing.", "")
    return comments_of(import_module(module)).get(name) or (f"`{shown}`" if len(shown) < 100 else "A constant.")


def comments_of(module: types.ModuleType) -> dict[str, str]:
    """Comments of a module's constants."""
    path = Path(module.__file__ or "")
    with path.open("rb") as file:
        comments = {
            t.start[0]: t.string.lstrip("# ") for t in tokenize.tokenize(file.readline) if t.type == tokenize.COMMENT
        }
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name):
                line = node.lineno - 1
                above: list[str] = []
                while line in comments:
                    above.insert(0, comments[line])
                    line -= 1
                found[target.id] = " ".join(above) or comments.get(node.end_lineno or node.lineno, "")
    return found


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "hooks": hooks,
    "services": services,
    "types": public_types,
    "commands": commands,
    "keys": keys,
    "synonyms": synonyms,
    "sections": sections,
    "operations": operations,
    "providers": providers,
    "errors": error_table,
    "modules": modules,
    "components": components,
    "api": api,
    "contracts": contracts,
}


# ---------------------------------------------------------------- pages


def renewed(text: str) -> str:
    """A page with its generated parts made anew."""
    return PART.sub(lambda found: f"{found[1]}\n{chr(10).join(PARTS[found[2]]()).strip()}\n\n{found[3]}", text)


def main(arguments: list[str]) -> int:
    """Write or check all pages; the exit code."""
    stale = []
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        new = renewed(text)
        if new != text:
            stale.append(path.relative_to(DOCS))
            if "--check" not in arguments:
                path.write_text(new, encoding="utf-8")
    if stale:
        done = "out of date, run python docs/generate.py" if "--check" in arguments else "written"
        print(textwrap.fill(f"{done}: {', '.join(map(str, stale))}", 100))
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
