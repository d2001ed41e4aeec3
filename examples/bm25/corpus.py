"""Real text to search: the documentation strings of the installed Python standard library, as token ids."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

WORDS_A_PASSAGE = 100
UNKNOWN = "[UNK]"
SKIPPED_FOLDERS = {"site-packages", "test", "tests", "idlelib", "turtledemo", "lib2to3", "__pycache__"}


@dataclass(frozen=True)
class Passage:
    """At most WORDS_A_PASSAGE words of one documentation string, and where they come from (`io.open`)."""

    title: str
    text: str


def passages() -> list[Passage]:
    """Every passage of the standard library, in order of file and line. Sources are parsed, never imported."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if SKIPPED_FOLDERS.isdisjoint(relative.parts):
            module = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
            found += list(_of_module(module, path))
    return found


def _of_module(module: str, path: Path) -> Iterator[Passage]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return
    yield from _of_node(module, tree)


def _of_node(title: str, node: ast.AST) -> Iterator[Passage]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        words = (ast.get_docstring(node) or "").split()
        for start in range(0, len(words), WORDS_A_PASSAGE):
            yield Passage(title, " ".join(words[start : start + WORDS_A_PASSAGE]))
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of_node(f"{title}.{child.name}", child)
        elif not isinstance(child, ast.expr):
            yield from _of_node(title, child) if hasattr(child, "body") else ()


def train_tokenizer(texts: list[str], vocabulary: int) -> Tokenizer:
    """A word-level tokenizer of lower-cased words, numbers and identifiers' parts, with at most `vocabulary` ids.

    Id 0 stands for every word beyond the vocabulary."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\p{L}\p{N}]+"), behavior="removed", invert=True)
    trainer = trainers.WordLevelTrainer(vocab_size=vocabulary, special_tokens=[UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def token_rows(tokenizer: Tokenizer, texts: list[str], length: int) -> np.ndarray:
    """i32[len(texts), length]: token ids, unknown words left out, the unused tail -1; what is longer is cut."""
    rows = np.full((len(texts), length), -1, np.int32)
    for row, encoding in zip(rows, tokenizer.encode_batch(texts), strict=True):
        ids = [token for token in encoding.ids if token != 0][:length]
        row[: len(ids)] = ids
    return rows
