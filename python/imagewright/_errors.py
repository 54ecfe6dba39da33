"""What can go wrong: one class for each kind of failure that the command line knows (design D12)."""

from __future__ import annotations


class ImagewrightError(Exception):
    """The base of every error of imagewright.

    ``str(error)`` says what failed, on which input, and why; :attr:`hint` says what to do about it.
    """

    #: What to do about it, when that is known.
    hint: str | None
    #: The exit code that the command line ends with.
    exit_code: int = 70

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\nhint: {self.hint}" if self.hint else message

    def __reduce__(self) -> tuple[type[ImagewrightError], tuple[str, str | None]]:
        return type(self), (str(self.args[0]), self.hint)


class SpecError(ImagewrightError, ValueError):
    """The spec, an argument or the configuration cannot be used."""

    exit_code = 2


class ResolutionError(ImagewrightError):
    """The packages cannot be resolved."""

    exit_code = 3


class NetworkError(ImagewrightError):
    """The network or a registry failed, or refused; an answer that depends on it is unknown."""

    exit_code = 4


class StepError(ImagewrightError):
    """What the spec executes in the image failed."""

    exit_code = 5


class MachineError(ImagewrightError):
    """This machine cannot do it: a full disk, a store that cannot be written, no sandbox that works."""

    exit_code = 6


class InternalError(ImagewrightError):
    """A bug of imagewright."""

    exit_code = 70


#: The class for each exit code.
BY_EXIT_CODE: dict[int, type[ImagewrightError]] = {
    error.exit_code: error
    for error in (SpecError, ResolutionError, NetworkError, StepError, MachineError, InternalError)
}
