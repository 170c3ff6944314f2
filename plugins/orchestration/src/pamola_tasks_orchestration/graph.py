"""`pamola-task graph`: tasks, or the steps of one, as a drawing in text."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import attrs
import click

from pamola_tasks.errors import PamolaTaskError, UsageError

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, KernelView

# Kinds of node: the brackets of mermaid, and the shape of Graphviz.
_KINDS = {
    "task": ("[", "]", "box"),
    "step": ("[", "]", "box"),
    "input": ("[(", ")]", "cylinder"),
    "dataset": ("([", "])", "ellipse"),
    "output": ("[[", "]]", "note"),
    "problem": ("{{", "}}", "octagon"),
    "outside": ("([", "])", "ellipse"),
}


@attrs.define
class Drawing:
    """Nodes, by a key of their own, with kind and label; arrows between them with labels."""

    title: str
    nodes: dict[str, tuple[str, str]] = attrs.Factory(dict)
    arrows: list[tuple[str, str, str]] = attrs.Factory(list)

    def node(self, key: str, kind: str, label: str) -> str:
        """Add a node unless it is there; its key."""
        self.nodes.setdefault(key, (kind, label))
        return key

    def document(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "nodes": [{"id": key, "kind": kind, "label": label} for key, (kind, label) in self.nodes.items()],
            "edges": [{"from": a, "to": b, "label": label} for a, b, label in self.arrows],
        }

    def mermaid(self) -> str:
        names = {key: f"n{index}" for index, key in enumerate(self.nodes)}
        lines = ["flowchart LR"]
        for key, (kind, label) in self.nodes.items():
            begin, end, _ = _KINDS[kind]
            lines.append(f'    {names[key]}{begin}"{in_mermaid(label)}"{end}')
        for source, target, label in self.arrows:
            text = f'|"{in_mermaid(label)}"|' if label else ""
            lines.append(f"    {names[source]} -->{text} {names[target]}")
        return "\n".join(lines)

    def dot(self) -> str:
        names = {key: f"n{index}" for index, key in enumerate(self.nodes)}
        lines = [f"digraph {in_dot(self.title)} {{", "    rankdir=LR;"]
        for key, (kind, label) in self.nodes.items():
            lines.append(f"    {names[key]} [label={in_dot(label)}, shape={_KINDS[kind][2]}];")
        for source, target, label in self.arrows:
            text = f" [label={in_dot(label)}]" if label else ""
            lines.append(f"    {names[source]} -> {names[target]}{text};")
        return "\n".join([*lines, "}"])


def in_mermaid(text: str) -> str:
    """A text within quotation marks of mermaid: what could mean something there becomes `#code;`."""
    return re.sub(r"[^\w .,/()+=@-]", lambda found: f"#{ord(found[0])};", _visible(text))


def in_dot(text: str) -> str:
    """A text as a quoted string of Graphviz, which reads backslashes and HTML entities in labels."""
    escaped = _visible(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text) or " "


@click.command("graph")
@click.argument("task", required=False)
@click.option("--format", "format_", type=click.Choice(["mermaid", "dot", "svg"]), default="mermaid", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: CommandLine, task: str | None, format_: str, as_json: bool) -> None:
    """Draw the tasks and their dependencies, or the steps and datasets of TASK. `svg` needs Graphviz."""
    drawing = draw_tasks(cli.kernel) if task is None else draw_steps(cli.kernel, task)
    if as_json:
        cli.out.print_json(drawing.document())
    elif format_ == "mermaid":
        click.echo(drawing.mermaid())
    else:
        click.echo(drawing.dot() if format_ == "dot" else as_svg(drawing))


def draw_tasks(kernel: KernelView) -> Drawing:
    """The tasks of the project, with arrows from each to those that need it."""
    nodes = kernel.scheduler.tasks()
    drawing = Drawing("tasks")
    for node in nodes.values():
        drawing.node(node.task_id, "task" if node.problem is None else "problem", node.task_id)
        if node.problem is not None:
            problem = kernel.plugins.redactor(str(node.problem))
            click.secho(f"warning: {node.task_id} cannot be configured: {problem}", fg="yellow", err=True)
    for node in nodes.values():
        for needed, datasets in node.needs.items():
            drawing.node(needed, "outside", needed)
            drawing.arrows.append((needed, node.task_id, ", ".join(datasets)))
    try:
        kernel.scheduler.order()
    except PamolaTaskError as error:  # a circle, or a task that is missing: drawn all the same
        click.secho(f"warning: {kernel.plugins.redactor(str(error))}", fg="yellow", err=True)
    return drawing


def draw_steps(kernel: KernelView, task: str) -> Drawing:
    """The steps of a task and the datasets between them."""
    run = kernel.plan(task)
    plan, published = run.plan, run.plan.final_datasets(run.config.outputs)
    drawing = Drawing(run.record.task_id)

    def dataset(name: str) -> str:
        kind = "input" if plan.writer_of(name) is None else "output" if name in published else "dataset"
        return drawing.node(f"dataset {name}", kind, name)

    for step in plan:
        label = step.id if step.id == step.name else f"{step.id}: {step.name}"
        for name in step.reads:
            dataset(name)
        drawing.node(f"step {step.id}", "step", label)
        drawing.arrows += [(dataset(name), f"step {step.id}", "") for name in step.reads]
        drawing.arrows += [(f"step {step.id}", dataset(name), "") for name in step.writes]
    return drawing


def as_svg(drawing: Drawing) -> str:
    """The drawing as SVG, made by Graphviz; a UsageError where that is not installed, or fails."""
    program = shutil.which("dot")
    if program is None:
        raise UsageError(
            "SVG is drawn by Graphviz, whose program `dot` is not installed here: install Graphviz, or take"
            " --format mermaid or --format dot, which need nothing"
        )
    done = subprocess.run([program, "-Tsvg"], input=drawing.dot(), capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise UsageError(f"{program} failed: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout.rstrip("\n")
