"""Synthetic chest films: demo data, drawn by a program, of nobody."""
