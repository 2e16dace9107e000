"""barsync: many live bar feeds in, one strictly ordered stream of synchronized sets out."""
