from typing import final

@final
class Many: ...
