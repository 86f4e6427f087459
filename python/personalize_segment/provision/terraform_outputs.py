"""What `terraform output -json` prints: the values of a stack, however deep a module call has put them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..contract.strict_json import parse, refuse

#: How deep an object may be: in an output, in an instance of `for_each`, in the stack itself.
DEPTH = 3


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
            refuse("$", "has no outputs of a stack", "Was Terraform applied? Pass what `terraform output -json` prints")
        refuse(
            "$", f"holds the outputs of {len(found or ())} stacks: {names}", f"Name one of them with --stack: {names}"
        )
    return chosen[0].values


def value(text: str, *keys: str, stack: str | None = None) -> str | None:
    """Return the text at these keys of the stack in outputs; None if it has none, or `text` isn't outputs.

    Raises MappingError for several stacks of which `stack` names none.
    """
    _, stacks = read(text, keys[0])
    if not stacks:
        return None
    found: Any = only(stacks, stack)
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None
