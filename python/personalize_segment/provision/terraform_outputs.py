"""What `terraform output -json` prints: the values of a stack, however deep a module call has put them."""

from typing import Any

from ..contract.strict_json import parse


def read(text: str, *keys: str) -> tuple[Any, list[dict[str, Any]] | None]:
    """Return the JSON document in `text`, and the objects with all these keys in its outputs' values.

    The objects are the outputs together, one of them, or one inside of one: `output "shop" { value = module.shop }`
    does as well as the stack itself, which has them at the top. They are None if the document isn't outputs.
    Raises MappingError if `text` isn't JSON; `strict_json.check` has to see what is used of it.
    """
    document = parse(text)
    if not isinstance(document, dict) or not document:
        return document, None
    if not all(isinstance(output, dict) and {"value", "type"} <= set(output) for output in document.values()):
        return document, None
    values = {name: output["value"] for name, output in document.items()}
    inner = [value for value in values.values() if isinstance(value, dict)]
    innermost = [value for outer in inner for value in outer.values() if isinstance(value, dict)]
    return document, [value for value in (values, *inner, *innermost) if set(keys) <= set(value)]


def profile_table(text: str) -> str | None:
    """Return the name of the table of live profiles in outputs; None if they have none, or `text` isn't outputs."""
    return value(text, "operations", "profile_table")


def value(text: str, *keys: str) -> str | None:
    """Return the text at these keys of the one stack in outputs; None if it has none, or `text` isn't outputs."""
    _, stacks = read(text, keys[0])
    if stacks is None or len(stacks) != 1:
        return None
    found: Any = stacks[0]
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None
