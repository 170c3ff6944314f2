"""CSV of which every column is text."""
