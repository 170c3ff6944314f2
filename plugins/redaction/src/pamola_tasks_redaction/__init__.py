"""What may be shown: secrets are replaced, values of data are left out of errors and logs."""
