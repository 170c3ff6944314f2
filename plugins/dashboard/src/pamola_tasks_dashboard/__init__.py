"""A local page on which a project's runs are watched."""
