"""What `terraform output -json` prints: the values of a stack, however deep a module call has put them."""

from typing import Any


def of_terraform(document: Any) -> dict[str, Any] | None:
    """Return the outputs' values by name; None if `document` isn't what `terraform output -json` prints."""
    if not isinstance(document, dict) or not document:
        return None
    if not all(isinstance(one, dict) and {"value", "type"} <= set(one) for one in document.values()):
        return None
    return {name: one["value"] for name, one in document.items()}


def holding(values: dict[str, Any], *keys: str) -> list[dict[str, Any]]:
    """Return the objects that have all these keys: the outputs together, one of them, or one inside of one.

    So that `output "shop" { value = module.shop }` does as well as the stack itself, which has them at the top.
    """
    inner = [one for one in values.values() if isinstance(one, dict)]
    innermost = [each for one in inner for each in one.values() if isinstance(each, dict)]
    return [one for one in (values, *inner, *innermost) if set(keys) <= set(one)]
