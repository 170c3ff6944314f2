"""Checks what runs left: re-hash recorded inputs and outputs, look at state files."""
