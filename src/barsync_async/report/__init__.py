"""What a run came to, told from its events alone: counts, series and key figures. It writes
nothing and draws nothing.
"""
