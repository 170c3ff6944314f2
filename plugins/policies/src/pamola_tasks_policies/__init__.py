"""House rules of pamola-tasks, as data: checked before a run, on each release, and against past runs."""
