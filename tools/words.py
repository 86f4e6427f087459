"""Check the words of every text in the repository, so that people read each sentence once.

    words.py            Print each tic with its place and what to write instead. Exit 1 if any is left.
    words.py PATH …     Only in these files and folders.

Spelling is codespell's job (American English); this list has what no dictionary knows.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = {".py", ".md", ".tf", ".hcl", ".toml", ".yml", ".yaml", ".in", ".sh", ".html", ".css", ".svg", ""}
#: Texts of others, and what is generated from texts that are checked.
SKIPPED = {"LICENSE", "tools/words.py"}

#: What a person would write instead, by the pattern of what reads as translated.
WORDS = {
    r"stands?(?! for\b|-)": "is, is stored",
    r"l(ies|ay|ying)(?= (in|on|at|there|under|below|next|where|beyond|outside|before|behind)\b)": "is, is stored",
    r"(is|are|was|were) no(?! (longer|more|less|one|matter)\b)": "isn't a, aren't",
    r"of (its|their|his|your|our) own": "separate, its own",
    r"beside": "next to, along with, in addition to",
    r"mend(s|ed|ing)?": "fix",
    r"anew": "again",
    r"nobody": "no one",
    r"shall": "will, must",
    r"by (itself|themselves)": "automatically, alone",
    r"(has|have|had|having) to be": "must be",
    r"(one|two|three|five|ten|\d+) an? (line|call|file|batch|request|message|event|record|row|part)": "per",
    r"look(s|ed|ing)? (at|whether)": "check, read",
    r"(?<!\w )(?<!, )There (is|are|was|were)": "the subject first",
    r"(?i:say|print|return|give|show|know|make|keep|write)s? what(?! (happen|changed)|ever)": "the noun",
    r"(?<!not )(?<!-)(simply|easily)": "leave it out",
    r"from where": "from the place",
    r"in all of it": "everywhere",
    r"has (no|not the) names?": "doesn't have",
    r"not neither": "exactly one of",
}
TIC = re.compile("|".join(rf"(?P<w{number}>\b(?:{pattern})\b)" for number, pattern in enumerate(WORDS)))
ADVICE = list(WORDS.values())


def tracked(*names: str) -> list[str]:
    """Return the repository's files in these files and folders, including those not added yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *names]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).is_file()]


def texts(names: list[str]) -> Iterator[Path]:
    for name in tracked(*names):
        path = ROOT / name
        if name not in SKIPPED and path.suffix in KINDS:
            yield path


def tics(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line number, the words and the advice of each tic."""
    for found in TIC.finditer(text):
        assert found.lastgroup is not None
        number = int(found.lastgroup[1:])
        yield text.count("\n", 0, found.start()) + 1, found.group(), ADVICE[number]


def main() -> None:
    left = 0
    for path in texts(sys.argv[1:]):
        for line, words, advice in tics(path.read_text("utf-8")):
            print(f'{path.relative_to(ROOT)}:{line}: "{words}". Write: {advice}.')
            left += 1
    if left:
        sys.exit(f"{left} to rewrite. Name the thing, verb first, one action per sentence.")


if __name__ == "__main__":
    main()
