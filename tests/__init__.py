"""The tests: folders mirror the code, `whole` holds what belongs to no single module."""
