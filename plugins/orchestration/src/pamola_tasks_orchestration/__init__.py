"""Several tasks: which needs which, in dependency order, at the same time."""
