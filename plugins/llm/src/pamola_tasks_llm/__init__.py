"""Language models for pamola-tasks: a guarded service, and operations that suggest, describe and rewrite."""
