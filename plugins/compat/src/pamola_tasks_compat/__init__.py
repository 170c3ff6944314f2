"""Names of the forerunner of pamola-tasks that neither its document nor our own code needs."""
