"""No private keys."""
