"""The directories of a task: locations of inputs, outputs, dictionaries, temporary files and reports."""
