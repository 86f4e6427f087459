"""What `terraform output -json` prints: the values of a stack, however deep a module call has put them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..contract.strict_json import parse, refuse
from ..errors import MappingError, PersonalizeSegmentError, number

#: How deep an object may be: in an output, in an instance of `for_each`, in the stack itself.
DEPTH = 3
#: Where the ARN of the event function is, which has region and account of the stack.
_FUNCTION = ("segment", "function_arn")
#: What an error about it is called.
HOME = "Account and region"
_REMEDY = "Pass the output of `terraform output -json`"


class Home(NamedTuple):
    """The account and the region of a stack, or of somebody's credentials and settings."""

    account: str
    region: str

    def __str__(self) -> str:
        return f"account {self.account}, region {self.region}"

    def other(self, here: "Home") -> tuple[str, str] | None:
        """Return a problem and its remedy if `here` is another account or region than this one."""
        remedies = [f"AWS_PROFILE to a profile of account {self.account}"] if here.account != self.account else []
        remedies += [f"AWS_DEFAULT_REGION to {self.region}"] if here.region != self.region else []
        return (f"{here} instead of {self}", f"Set {' and '.join(remedies)}") if remedies else None


class Found(NamedTuple):
    """An object in outputs: the names of the output and of the instance in it that lead to it, and its values."""

    path: tuple[str, ...]
    values: dict[str, Any]

    @property
    def label(self) -> str:
        """What an error calls it: the path to the stack, or the stack's own name."""
        return ".".join(self.stack) or self.own

    @property
    def own(self) -> str:
        """The name of the stack."""
        inner = self.values.get("personalize", self.values)
        return str(inner.get("name")) if isinstance(inner, dict) else "?"

    @property
    def stack(self) -> tuple[str, ...]:
        """The path to the stack, of which the object may be the spec."""
        return self.path[:-1] if self.path[-1:] == ("personalize",) else self.path

    def is_called(self, name: str) -> bool:
        """Return whether `--stack` may call it so: by the output, the instance, both, or the stack's own name."""
        return name in {*self.stack, self.label, self.own}


def read(text: str, *keys: str) -> tuple[Any, list[Found] | None]:
    """Return the JSON document in `text`, and the objects with all these keys in its outputs' values.

    The objects are the outputs together, one of them, or one inside of one: `output "shop" { value = module.shop }`
    does as well as the stack itself, which has them at the top. `terraform output -json shop` prints such a value bare.
    They are None if the document isn't outputs. Raises MappingError if `text` isn't JSON; `strict_json.check` has to
    see what is used of it.
    """
    document = parse(text)
    if not isinstance(document, dict):
        return document, None
    if not document:  # where nothing is applied
        return document, []
    if all(isinstance(output, dict) and {"value", "type"} <= set(output) for output in document.values()):
        return document, list(_found({name: output["value"] for name, output in document.items()}, set(keys)))
    return document, list(_found(document, set(keys))) or None


def _found(values: dict[str, Any], keys: set[str], *path: str) -> Iterator[Found]:
    """Yield the objects with these keys, but none in another one: a spec has names that its owner chose."""
    if keys <= set(values):
        yield Found(path, values)
    elif len(path) < DEPTH:
        for name, value in values.items():
            if isinstance(value, dict):
                yield from _found(value, keys, *path, name)


def only(found: list[Found] | None, stack: str | None = None) -> dict[str, Any]:
    """Return the values of the only object, or of the one that `stack` names. Raises MappingError."""
    chosen = [one for one in found or () if stack is None or one.is_called(stack)]
    if len(chosen) != 1:
        names = ", ".join(one.label for one in found or ())
        if not names:
            refuse("$", "has no outputs of a stack", f"Was Terraform applied? {_REMEDY}")
        problem = f"holds the outputs of {number(len(found or ()), 'stack')}: {names}"
        refuse("$", problem, f"Name one of them with --stack: {names}")
    return chosen[0].values


def of_stack(text: str, *keys: str, stack: str | None = None) -> dict[str, Any]:
    """Return the values of the stack in outputs that has all these keys. Raises MappingError."""
    return only(_found_in(text, *keys), stack)


def value(text: str, *keys: str, stack: str | None = None) -> str | None:
    """Return the text at these keys of the stack in outputs; None if it has none, or `text` isn't outputs.

    Raises MappingError if `text` isn't JSON, and for several stacks of which `stack` names none.
    """
    stacks = _found_in(text, keys[0])
    return _text(only(stacks, stack), *keys) if stacks else None


def home(text: str, stack: str | None = None) -> Home | None:
    """Return where the stack in outputs is; None if they don't say it, or `text` isn't outputs. Raises as `value`."""
    stacks = [one for one in _found_in(text, "segment", "personalize") if _text(one.values, *_FUNCTION)]
    if not stacks:
        return None
    region, account = str(_text(only(stacks, stack), *_FUNCTION)).split(":")[3:5]
    return Home(account, region)


@contextmanager
def naming(place: str, refused: type[PersonalizeSegmentError]) -> Iterator[None]:
    """Raise `refused` with the outputs' file, `place`, where functions of this module raise MappingError."""
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
