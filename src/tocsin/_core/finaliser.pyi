"""Nothing here is for Python: the functions are for other modules of the core."""

from typing import final

@final
class Finaliser: ...
