"""Measurements, `make bench`: `python -m tests.bench [NAME …]` prints one line a figure.

Machines differ and are shared, so a figure is a ratio of two things measured in one run, turn about (A B A B …),
of which the median stands; or it is a count. A figure that falls short is printed as such and fails nothing.
"""
