"""Stands before janus on PYTHONPATH; what tocsin.compat.janus lacks, its suite misses."""

# A stand-in is all that the other one exports, whatever that is.
from tocsin.compat import janus as ours
from tocsin.compat.janus import *  # noqa: F403
from tocsin.compat.janus import __version__  # noqa: F401

if ours.__name__ == __name__:
    raise ImportError("the stand-in has found itself")
