"""Venues' wire formats, pure: one venue a file, bytes in, bars out."""
