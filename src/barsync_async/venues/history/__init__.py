"""Venues' REST endpoints for past bars, pure: one venue a file, requests out, responses in."""
