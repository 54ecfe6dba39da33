"""Classes of annotated fields, as ``dataclasses`` makes them, which takes longer to import than all of this package."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, TypeVar

    Class = TypeVar("Class")


def dataclass(cls: type[Class]) -> type[Class]:
    """Makes a class what ``dataclasses.dataclass`` does: with ``__init__``, ``__repr__`` and ``__eq__``.

    Every field has a default. To ``dataclasses`` it is one of its own from the first time that it asks.
    """
    names = list(cls.__annotations__)
    given = ", ".join(f"{name}=cls.{name}" for name in names)
    fields = ", ".join(f"{name!r}: {name}" for name in names)
    made: dict[str, Any] = {"cls": cls}
    # With code of its own, it refuses arguments as any function does, and shows them to `help`.
    exec(f"def __init__(self, {given}):\n vars(self).update({{{fields}}})\n self.__post_init__()", made)
    init = made["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    init.__annotations__ = {**cls.__annotations__, "return": "None"}

    def __eq__(self: object, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def __repr__(self: object) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    fields_later = _Fields(cls, names)
    members = {"__init__": init, "__eq__": __eq__, "__repr__": __repr__, "__replace__": replace}
    for name, member in {**members, "__dataclass_fields__": fields_later}.items():
        setattr(cls, name, member)
    return cls


def replace(instance: Class, **changes: object) -> Class:
    """A new instance that has other values in some fields, as ``dataclasses.replace`` gives it."""
    cls = type(instance)
    return cls(**{**{name: getattr(instance, name) for name in names(cls)}, **changes})


class _Fields:
    """The ``__dataclass_fields__`` of a class until somebody asks for them."""

    def __init__(self, cls: type, names: list[str]) -> None:
        self.cls = cls
        self.names = names

    def __get__(self, instance: object, owner: type) -> Any:
        import dataclasses

        # It replaces this.
        dataclasses.dataclass(init=False, repr=False, eq=False)(self.cls)
        return vars(self.cls)["__dataclass_fields__"]


def names(cls: type) -> Iterable[str]:
    """The names of a dataclass's fields, without ``dataclasses`` where that was not needed yet."""
    found = next(vars(base)["__dataclass_fields__"] for base in cls.__mro__ if "__dataclass_fields__" in vars(base))
    return found.names if isinstance(found, _Fields) else found
