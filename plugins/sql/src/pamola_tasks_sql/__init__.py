"""Tables of databases as datasets of pamola-tasks. What it adds is in `plugin`."""
