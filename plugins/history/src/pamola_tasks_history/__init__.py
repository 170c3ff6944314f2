"""The execution history: which task ran when, how it ended, what it read and wrote."""
