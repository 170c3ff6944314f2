"""Dependencies: whether the tasks that a task needs have succeeded, and what they left."""
