"""Files in object stores and on SFTP servers as inputs and outputs of pamola-tasks. What it adds is in `plugin`."""
