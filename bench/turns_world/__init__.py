"""A simulated world in which turn taking is judged: callers, their line, an agent, and a clock."""
