"""Feeds mutated programs to the front end; coverage guides the mutation (atheris: `pip install atheris`).

    python -m fuzz.fuzz_front_end --seconds 3600            from tests/
    python -m fuzz.fuzz_front_end --seconds 60 --language py

Anything but a program or a DiagnosticError is a crash, more than `--limit` seconds for one text a hang; the text is
left in the current directory. A text that parses must also be formatted, and not to another text when it is formatted
again.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hetc", "lark"]):
    from hetc.compiler.driver import Options, front_end
    from hetc.compiler.embedding.words import WORDS
    from hetc.compiler.formatter import format_source
    from hetc.diagnostics import DiagnosticError
    from hetc.source import SourceFile

ROOT = Path(__file__).parents[2]
CORPUS = {
    "mp": ("examples/*/*.mp", "tests/pipelines/**/*.mp", "tests/errors/*.mp", "tests/semantics/*/*.mp"),
    "py": ("examples/*/*.py", "tests/errors_python/*.py"),
}
WORD = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|\s+|[^\w\s]")
SPELLINGS = (
    *WORDS, "pipeline", "dim", "input", "weight", "output", "grows", "by", "per", "stored", "for", "in", "on", "as",
    "calls", "0", "1", "-1", "1e308", "2**63", "\n    ", "\n        ", "\t", "[", "]", "(", ")", "{", "}", "@", ":",
    ";", ",", "+=", "//", "%", "**", "<", "<=", "==", "!=", "and", "or", "not", "\x00", "é", "\\", "'", '"', "#",
)  # fmt: skip


def check(text: str, name: str) -> None:
    """Compile one text as far as the front end goes. Raises whatever is no diagnostic."""
    source = SourceFile(name, text)
    with suppress(DiagnosticError):
        front_end(source, Options())
    if not name.endswith(".mp"):
        return
    try:
        formatted = format_source(source)
    except DiagnosticError:
        return
    again = format_source(SourceFile(name, formatted))
    assert again == formatted, "formatting is not idempotent"


def mutate(data: bytes, limit: int, seed: int) -> bytes:
    """Words exchanged, repeated, dropped or put in, now and then a byte: most texts stay near the grammar."""
    rng = random.Random(seed)
    if rng.random() < 0.1:
        return bytes(atheris.Mutate(data, limit))
    words = WORD.findall(data.decode("utf-8", "replace"))
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(words) + 1)
        match rng.randrange(5):
            case 0:
                words[at : at + 1] = [rng.choice(SPELLINGS)]
            case 1:
                words.insert(at, rng.choice(SPELLINGS))
            case 2:
                del words[at : at + rng.randint(1, 8)]
            case 3 if words:
                start = rng.randrange(len(words))
                words[at:at] = words[start : start + rng.randint(1, 30)] * rng.choice((1, 1, 1, 2, 50))
            case 4 if words:
                other = rng.randrange(len(words))
                words[at : at + 1] = [words[other]]
    return "".join(words).encode()[:limit]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--language", choices=sorted(CORPUS), default="mp")
    parser.add_argument("--limit", type=int, default=20, help="seconds for one text")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    name = f"fuzz.{options.language}"

    def one(data: bytes) -> None:
        check(data.decode("utf-8", "replace"), name)

    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(path for pattern in CORPUS[options.language] for path in ROOT.glob(pattern)):
            (Path(folder) / str(number)).write_bytes(path.read_bytes())
        flags = [f"-max_total_time={options.seconds}", f"-timeout={options.limit}", f"-seed={options.seed}"]
        flags += ["-max_len=20000", "-rss_limit_mb=4000", "-print_final_stats=1", folder]
        atheris.Setup([sys.argv[0], *flags], one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
