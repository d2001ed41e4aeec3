"""Searches the documentation of the installed Python standard library with the compiled bm25.mp.

    python examples/bm25/search.py temporary file that deletes itself
    python examples/bm25/search.py --interactive -k 3

The program runs on the devices that the machine has, and is emulated where it has none.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from corpus import Passage, passages, token_rows, train_tokenizer
from rich.console import Console
from rich.panel import Panel
from rich.progress import track
from rich.text import Text
from tokenizers import Tokenizer

from hetc.cache import kept
from hetc.compiler.compile_cache import compiled_directory
from hetc.compiler.driver import Options
from hetc.diagnostics import DiagnosticError, print_diagnostics
from hetc.runtime.errors import PipelineError
from hetc.runtime.program import HostProgram, load_program
from hetc.runtime.state import State
from hetc.source import read_source

SOURCE = Path(__file__).parent / "bm25.mp"
VOCABULARY = 30_522
LONGEST_QUERY = 32
MOST_RESULTS = 16
DOCUMENTS_A_CALL = 2048


class Collection:
    """The passages, and their terms: i32[passages, longest]."""

    def __init__(self, found: Sequence[Passage]) -> None:
        self.passages = found
        texts = [f"{item.title} {item.text}" for item in self.passages]
        self.tokenizer: Tokenizer = train_tokenizer(texts, VOCABULARY)
        rows = token_rows(self.tokenizer, texts, 4096)
        self.rows = rows[:, : int((rows >= 0).sum(1).max(initial=1))]

    def unknown(self, words: str) -> list[str]:
        """The words of a query that no passage has."""
        return [word for word, id in self._terms(words) if id == 0]

    def _terms(self, words: str) -> list[tuple[str, int]]:
        encoding = self.tokenizer.encode(words)
        return [(words[start:end], id) for (start, end), id in zip(encoding.offsets, encoding.ids, strict=True)]

    def query(self, words: str) -> np.ndarray:
        return token_rows(self.tokenizer, [words], LONGEST_QUERY)


def kept_passages() -> list[Passage]:
    """Reading the library's sources takes seconds, so what was found is kept for each version of Python."""

    def read(folder: Path) -> dict[str, str]:
        texts = json.dumps([[item.title, item.text] for item in passages()])
        (folder / "passages.json").write_text(texts, encoding="utf-8")
        return {"python": sys.version}

    folder = kept("bm25-search", f"passages-{sys.version_info.major}.{sys.version_info.minor}", read)
    return [Passage(*item) for item in json.loads((folder / "passages.json").read_text(encoding="utf-8"))]


class Search:
    """The compiled program with every passage in its memory."""

    def __init__(self, collection: Collection, platform: str, mode: str) -> None:
        self.collection = collection
        self.program = self._program(platform, mode)
        self.state: State = self.program.new_state(N=len(collection.passages))

    def _program(self, platform: str, mode: str) -> HostProgram:
        """Compiled once for the collection's sizes; again where the program or a size has changed."""
        count, longest = self.collection.rows.shape
        dims = {
            "N": count,
            "V": self.collection.tokenizer.get_vocab_size(),
            "L": longest,
            "Q": LONGEST_QUERY,
            "K": MOST_RESULTS,
        }
        return load_program(compiled_directory(read_source(SOURCE), Options(platform=platform, dims=dims)), mode)

    def append_passages(self) -> None:
        """Append every passage; each call also answers one query without words."""
        rows = self.collection.rows
        starts = range(0, len(rows), DOCUMENTS_A_CALL)
        none = np.full((1, LONGEST_QUERY), -1, np.int32)
        for start in track(starts, "adding passages", console=Console(stderr=True), transient=True):
            self._call(rows[start : start + DOCUMENTS_A_CALL], none)

    def best(self, words: str) -> Iterator[tuple[float, Passage]]:
        """Scores and passages, best first, of those that hold a word of the query."""
        nothing = self.collection.rows[:0]
        best, picked = self._call(nothing, self.collection.query(words))
        for score, number in zip(best[0], picked[0], strict=True):
            if number >= 0 and score > 0:
                yield float(score), self.collection.passages[number]

    def _call(self, documents: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = self.program.step("bm25")(self.state, docs=documents, query=query)
        return np.asarray(outputs["best"]), np.asarray(outputs["picked"])


def answer(search: Search, words: str, count: int, console: Console) -> None:
    """Print the best passages for a query."""
    unknown = search.collection.unknown(words)
    if unknown:
        console.print(f"no passage has: {', '.join(unknown)}", style="yellow", markup=False)
    started = time.perf_counter()
    results = list(search.best(words))[:count]
    taken = time.perf_counter() - started
    for place, (score, passage) in enumerate(results, 1):
        heading = Text(f"{place}. {passage.title}  {score:.3f}", style="bold")
        console.print(Panel(Text(passage.text), title=heading, title_align="left"))
    console.print(f"{len(results)} of {len(search.collection.passages)} passages, {taken:.2f} s", markup=False)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Search the standard library's documentation with compiled BM25.")
    parser.add_argument("words", nargs="*", help="the query")
    parser.add_argument("-k", type=int, default=3, metavar="N", help=f"passages to show, 1 to {MOST_RESULTS}")
    parser.add_argument("-i", "--interactive", action="store_true", help="ask for one query after the other")
    parser.add_argument("-p", "--platform", default="mi210+u55c", help="the platform to compile for")
    parser.add_argument("--mode", choices=("any", "hardware", "emulation"), default="any", help="where to run")
    given = parser.parse_args()
    if not given.words and not given.interactive:
        parser.error("give a query, or --interactive")
    if not 1 <= given.k <= MOST_RESULTS:
        parser.error(f"-k is 1 to {MOST_RESULTS}, got {given.k}")
    return given


def main() -> int:
    given = arguments()
    console = Console()
    try:
        search = Search(Collection(kept_passages()), given.platform, given.mode)
        backends = ", ".join(f"{kind}: {backend}" for kind, backend in search.program.backends.items())
        console.print(f"running on {backends}", markup=False)
        search.append_passages()
        if given.words:
            answer(search, " ".join(given.words), given.k, console)
        while given.interactive:
            answer(search, console.input("query: "), given.k, console)
    except DiagnosticError as error:
        print_diagnostics(error.diagnostics)
        return error.exit_code
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    except (EOFError, KeyboardInterrupt):
        with contextlib.suppress(BrokenPipeError):
            console.print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
