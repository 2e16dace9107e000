"""Where events go: one kind of output a file."""
