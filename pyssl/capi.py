"""How a method becomes the man page's function."""

from __future__ import annotations

import functools
from typing import Any, Callable, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def c_name_of(kind: type) -> Callable[[Function, str], Function]:
    """Give what turns methods of a class into functions.

    A function checks that its first argument is an object of the class, so
    that nothing else gets as far as the core (CV-2).
    """

    def function_of(method: Function, name: str) -> Function:
        @functools.wraps(method)
        def function(*arguments: Any, **named: Any) -> Any:
            if not arguments or not isinstance(arguments[0], kind):
                found = arguments[0] if arguments else "nothing"
                raise TypeError(
                    f"{name}: a {kind.__name__} is needed, not {found!r}"
                )
            return method(*arguments, **named)

        function.__name__ = function.__qualname__ = name
        return function  # type: ignore[return-value]

    return function_of
