"""The demo of pamola-tasks: a seeded table of synthetic patients, and the command that shows a privacy task on it."""
