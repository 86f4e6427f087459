"""The hook of the documentation site (mkdocs.yml): what Markdown on GitHub needs in another form.

- Links out of docs/ become links to the repository: the site has no other files.
- Directives of mkdocstrings are comments in docs/api.md, so that readers on GitHub don't see them.
"""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Return the page as the site needs it."""
    folder = (DOCS / page.file.src_uri).parent
    repository = config.extra["social"][0]["link"]

    def address(link: "re.Match[str]") -> str:
        path = (folder / link[1]).resolve()
        return link[0] if path.is_relative_to(DOCS) else f"]({repository}/blob/main/{path.relative_to(ROOT)}"

    markdown = re.sub(r"\]\((\.\./[^)#\s]*)", address, markdown)
    return re.sub(r"^<!-- (::: \S+) -->$", r"\1", markdown, flags=re.MULTILINE)
