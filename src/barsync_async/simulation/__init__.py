"""A seeded market and a misbehaving venue that sells its bars: values and moments in, frames out.

Nothing here reads a clock, opens a socket or draws from anything but a seed.
"""
