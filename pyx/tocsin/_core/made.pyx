"""What the compiled core was made with, for `tocsin doctor`."""


cdef extern from *:
    int CYTHON_HEX_VERSION        # 0x030301F0 is 3.3.1


CYTHON = f"{CYTHON_HEX_VERSION >> 24}.{CYTHON_HEX_VERSION >> 16 & 0xFF}.{CYTHON_HEX_VERSION >> 8 & 0xFF}"
