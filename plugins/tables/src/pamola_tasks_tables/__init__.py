"""Tables of a task as streams: distinct combinations, sizes of classes, rewriting, whatever their size."""
