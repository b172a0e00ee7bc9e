"""Nothing here is for Python: the functions are for other modules of the core."""
