"""Delivers what the notifier sends: implements a hook that another plugin adds."""

from pamola_tasks import hookimpl

PAMOLA_HOOK_API = 1


@hookimpl(optionalhook=True)
def acme_notified(run, text):
    with run.files.append("BENCH/post.txt") as file:
        file.write(f"{text}\n".encode())
