"""Names of a package that are loaded when first asked for (PEP 562).

A server that has only listed its tools has needed none of what sends, measures or counts; whoever imports a room pays
for what is used of it.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def deferred(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Make a package's `__getattr__`.

    Args:
        package: Its full name.
        homes: For each name the package gives, the module inside it that has it.

    Returns:
        A function that loads a name, and raises AttributeError for one the package does not give.
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(package)
        found = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(module, name, found)
        return found

    return load
