"""PyTorch, imported when it is first used.

A study names search methods with their options long before anything is searched, and reading it does not wait
for the two seconds that torch takes to import: modules below `nestmat.search` that only compute with tensors
take `torch` from here. Networks are subclasses of `torch.nn.Module`, and their modules import torch.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DeferredModule(ModuleType):
    """A module that is imported when one of its attributes is first read.

    Args:
        name: Name of the module.

    Example:
        >>> DeferredModule("fractions").Fraction(2, 4)
        Fraction(1, 2)
    """

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self.__name__), name)
        # The next access finds it without asking again.
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    import torch as torch
else:
    torch = DeferredModule("torch")


def no_grad(function: Callable[P, T]) -> Callable[P, T]:
    """Decorator: `torch.no_grad`, without an import of torch where the function is defined."""

    @functools.wraps(function)
    def without_gradients(*args: P.args, **kwargs: P.kwargs) -> T:
        with torch.no_grad():
            return function(*args, **kwargs)

    return without_gradients
