"""A plugin as somebody else would write it: five kinds of extension in one distribution."""

from pamola_tasks import Command, hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands():
    return {"acme": Command("acme_privacy.command:acme", help="Says hello from Acme.")}


@hookimpl
def pamola_add_operations():
    return {"ShoutOperation": "acme_privacy.operations:ShoutOperation"}


@hookimpl
def pamola_provide_checkpoints(run):
    from acme_privacy.checkpoints import ListedCheckpoints

    return ListedCheckpoints(run)


@hookimpl
def pamola_add_report_sections(run):
    from pamola_tasks.protocols import ReportSection

    return ReportSection(title="Acme's seal", key="acme_seal", facts={"sealed": True}, text="Sealed by *Acme*.")


@hookimpl
def pamola_check_path(path, purpose):
    return "Acme forbids it" if "forbidden" in path else None
