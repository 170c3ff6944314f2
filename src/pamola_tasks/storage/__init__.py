"""Files that outlive a crash: durable publishing, hashing, journal lines, locks; a library for kernel and plugins."""
