"""Written with the manual alone: docs/howto/replace-a-service.md, "Wrap instead of replace"."""

from pamola_tasks import hookimpl

PAMOLA_HOOK_API = 1


@hookimpl(wrapper=True)
def pamola_provide_path_guard(project):
    from acme_rule.guard import NoKeys

    guard = yield
    return NoKeys(guard)
