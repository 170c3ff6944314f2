"""The service `redactor`: hides secrets, and values of the data in messages of errors."""
