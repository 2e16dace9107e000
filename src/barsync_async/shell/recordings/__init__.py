"""What came over the wire: recorded, kept in files, and played again."""
