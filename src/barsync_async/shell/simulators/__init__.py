"""The simulated venue, on real sockets and in memory."""
