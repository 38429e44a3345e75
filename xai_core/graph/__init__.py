"""A model as a graph of calls: traced, copied, run call by call."""
