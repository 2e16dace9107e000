"""Sockets, requests, and whom to trust with them; no venue is known here."""
