"""The output of `terraform output -json`: the values of a stack, also if a module call nests them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..contract.strict_json import parse, refuse
from ..errors import MappingError, PersonalizeSegmentError, number

#: Maximum depth of an object: in an output, in an instance of `for_each`, in the stack itself.
DEPTH = 3
#: Keys of the event function's ARN, which has the stack's region and account.
_FUNCTION = ("segment", "function_arn")
#: The place in errors about them.
HOME = "Account and region"
_REMEDY = "Pass the output of `terraform output -json`"
#: The remedy for outputs without a stack, and for other documents.
APPLY = "Run `terraform apply`, then pass the output of `terraform output -json`"


class Home(NamedTuple):
    """The account and region of a stack, or of credentials and settings."""

    account: str
    region: str

    def __str__(self) -> str:
        return f"account {self.account}, region {self.region}"

    def other(self, here: "Home") -> tuple[str, str] | None:
        """Return a problem and its remedy if `here` is another account or region; else None."""
        remedies = [f"AWS_PROFILE to a profile for account {self.account}"] if here.account != self.account else []
        remedies += [f"AWS_DEFAULT_REGION to {self.region}"] if here.region != self.region else []
        return (f"{here} instead of {self}", f"Set {' and '.join(remedies)}") if remedies else None


class Found(NamedTuple):
    """An object in outputs: its path, which is the names of its output and instance, and its values."""

    path: tuple[str, ...]
    values: dict[str, Any]

    @property
    def label(self) -> str:
        """The stack's name in errors: its path, or its own name."""
        return ".".join(self.stack) or self.own

    @property
    def own(self) -> str:
        """The name of the stack."""
        inner = self.values.get("personalize", self.values)
        return str(inner.get("name")) if isinstance(inner, dict) else "?"

    @property
    def stack(self) -> tuple[str, ...]:
        """The path to the stack. The object may be the spec in it."""
        return self.path[:-1] if self.path[-1:] == ("personalize",) else self.path

    def is_called(self, name: str) -> bool:
        """Return whether `--stack` may use this name: the output's, the instance's, both, or the stack's own."""
        return name in {*self.stack, self.label, self.own}


def read(text: str, *keys: str) -> tuple[Any, list[Found] | None]:
    """Return the JSON document in `text`, and the objects with all these keys in its outputs' values.

    The stack itself has these keys at the top, `output "shop" { value = module.shop }` has them in an output, and
    `terraform output -json shop` prints the value of such an output. The objects are None if the document isn't
    outputs. Raises MappingError if `text` isn't JSON. Pass the used parts to `strict_json.check`.
    """
    document = parse(text)
    if not isinstance(document, dict):
        return document, None
    if not document:  # nothing is applied
        return document, []
    if all(isinstance(output, dict) and {"value", "type"} <= set(output) for output in document.values()):
        return document, list(_found({name: output["value"] for name, output in document.items()}, set(keys)))
    return document, list(_found(document, set(keys))) or None


def _found(values: dict[str, Any], keys: set[str], *path: str) -> Iterator[Found]:
    """Yield the objects with these keys, but none inside another one, because a spec has names that its owner chose."""
    if keys <= set(values):
        yield Found(path, values)
    elif len(path) < DEPTH:
        for name, value in values.items():
            if isinstance(value, dict):
                yield from _found(value, keys, *path, name)


def only(found: list[Found] | None, stack: str | None = None) -> dict[str, Any]:
    """Return the values of the only object, or of the one that `stack` selects. Raises MappingError."""
    chosen = [one for one in found or () if stack is None or one.is_called(stack)]
    if len(chosen) != 1:
        names = ", ".join(one.label for one in found or ())
        if not names:
            refuse("$", "has no outputs of a stack", APPLY)
        problem = f"has the outputs of {number(len(found or ()), 'stack')}: {names}"
        refuse("$", problem, f"Select one with --stack: {names}")
    return chosen[0].values


def of_stack(text: str, *keys: str, stack: str | None = None) -> dict[str, Any]:
    """Return the values of the stack with all these keys. Raises MappingError."""
    return only(_found_in(text, *keys), stack)


def value(text: str, *keys: str, stack: str | None = None) -> str | None:
    """Return the text at these keys of the stack; None if it has none, or if `text` isn't outputs.

    Raises MappingError if `text` isn't JSON, or if `stack` selects none of several stacks.
    """
    stacks = _found_in(text, keys[0])
    return _text(only(stacks, stack), *keys) if stacks else None


def home(text: str, stack: str | None = None) -> Home | None:
    """Return the stack's account and region; None if outputs don't tell, or `text` isn't outputs. Raises as `value`."""
    stacks = [one for one in _found_in(text, "segment", "personalize") if _text(one.values, *_FUNCTION)]
    if not stacks:
        return None
    region, account = str(_text(only(stacks, stack), *_FUNCTION)).split(":")[3:5]
    return Home(account, region)


@contextmanager
def naming(place: str, refused: type[PersonalizeSegmentError]) -> Iterator[None]:
    """Turn this module's MappingError into `refused` with the outputs' file, `place`."""
    try:
        yield
    except MappingError as error:
        raise refused(place, error.problem, error.remedy) from None


def _found_in(text: str, *keys: str) -> list[Found]:
    try:
        return read(text, *keys)[1] or []
    except MappingError:
        refuse("$", "isn't JSON", _REMEDY)


def _text(found: Any, *keys: str) -> str | None:
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None
