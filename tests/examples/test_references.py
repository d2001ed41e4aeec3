"""The references that the examples are compared with, compared themselves: with torch and with the bm25s package."""

from __future__ import annotations

import bm25s
import numpy as np
import pytest
import torch
from bm25s.tokenization import Tokenized

from tests.examples import (
    bm25_reference,
    dsa_reference,
    hmt_reference,
    lact_reference,
    lserve_drive,
    lserve_reference,
    seerattention_drive,
    seerattention_reference,
    titans_reference,
)

VOCABULARY = 60


def random_passages(seed: int, count: int) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 30, count)
    return [(generator.zipf(1.3, length) % VOCABULARY).tolist() for length in lengths]


@pytest.mark.parametrize("seed", range(5))
def test_bm25_agrees_with_bm25s(seed: int) -> None:
    passages = random_passages(seed, 80)
    index = bm25_reference.Index(passages)
    peer = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    vocabulary = {str(token): token for token in range(VOCABULARY)}
    peer.index(Tokenized(ids=passages, vocab=vocabulary), show_progress=False)
    generator = np.random.default_rng(seed + 100)
    for length in (1, 2, 7):
        query = generator.integers(0, VOCABULARY, length)
        known = np.array([token for token in query if index.frequency[int(token)]])
        if len(known):
            expected = peer.get_scores_from_ids(known)
            np.testing.assert_allclose(index.scores(known.tolist()), expected, atol=1e-5)


def test_bm25_without_passages_or_words() -> None:
    assert bm25_reference.Index([]).scores([1, 2]) == []
    assert bm25_reference.Index([[1], [2]]).scores([-1]) == [0.0, 0.0]
    assert bm25_reference.best([0.5, 2.0, 0.5, 2.0], 3) == [1, 3, 0]


def test_rounding_agrees_with_torch() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=4000) * 10.0 ** np.arange(-8, 0).repeat(500), [0.0]])
    values = np.concatenate([values, np.arange(-448, 449) / 16, np.arange(64) / 2**12]).astype(np.float32)
    tensor = torch.from_numpy(values)
    np.testing.assert_array_equal(dsa_reference.to_bf16(values), tensor.bfloat16().double().numpy())
    np.testing.assert_array_equal(dsa_reference.to_fp8(values), tensor.to(torch.float8_e4m3fn).double().numpy())
    assert dsa_reference.to_fp8(np.array([1e9, -465.0])).tolist() == [448.0, -448.0]


def test_layer_norm_and_attention_agree_with_torch() -> None:
    generator = np.random.default_rng(1)
    x, gain, bias = generator.normal(size=(3, 16)), generator.normal(size=16), generator.normal(size=16)
    normal = torch.nn.functional.layer_norm(torch.tensor(x), [16], torch.tensor(gain), torch.tensor(bias), 1e-5)
    np.testing.assert_allclose(dsa_reference.layer_norm(x, gain, bias, 1e-5), normal.numpy(), atol=1e-12)
    query, rows = torch.tensor(generator.normal(size=(1, 4, 16))), torch.tensor(generator.normal(size=(1, 9, 16)))
    expected = torch.nn.functional.scaled_dot_product_attention(query, rows, rows[..., :12], scale=0.3)[0]
    actual = dsa_reference.softmax(query[0].numpy() @ rows[0].numpy().T * 0.3) @ rows[0, :, :12].numpy()
    np.testing.assert_allclose(actual, expected.numpy(), atol=1e-12)


def test_attention_to_blocks_is_attention_to_their_rows() -> None:
    generator = np.random.default_rng(3)
    case = seerattention_drive.draw_case(generator, "seerattention_topk", [45])
    memory, q = case.sequences[0], generator.normal(size=(2, 2, 16))
    actual = seerattention_reference.attend(case.layer, memory, [np.array([5, 0]), np.array([5, 2, 3])], q)
    rows = [[*range(40, 45), *range(8)], [*range(40, 45), *range(16, 32)]]
    for head, own in enumerate(rows):
        query = torch.tensor(dsa_reference.rotate_half(q[head], 44, dsa_reference.rope_frequencies(16, 1e6)))
        keys, values = torch.tensor(memory.keys[own, head]), torch.tensor(memory.values[own, head])
        expected = torch.nn.functional.scaled_dot_product_attention(query[None], keys[None], values[None])[0]
        np.testing.assert_allclose(actual[head], expected.numpy(), atol=1e-12)


def test_attention_to_all_blocks_is_dense() -> None:
    generator = np.random.default_rng(4)
    case = seerattention_drive.draw_case(generator, "seerattention_topk", [45], {"K": 9})
    token = {name: value[0] for name, value in seerattention_drive.draw_inputs(generator, case).items()}
    memory, blocks, actual = seerattention_reference.step(case.layer, case.sequences[0], **token)
    assert [own.tolist() for own in blocks] == [list(range(6))] * 2
    query = torch.tensor(seerattention_reference.rotate(token["q"], 45))
    keys, values = (torch.tensor(np.moveaxis(item, 0, 1)) for item in (memory.keys, memory.values))
    expected = torch.nn.functional.scaled_dot_product_attention(query, keys, values)
    np.testing.assert_allclose(actual, expected.numpy(), atol=1e-12)


def test_attention_to_pages_and_windows_is_attention_to_their_rows() -> None:
    generator = np.random.default_rng(5)
    case = lserve_drive.draw_case(generator, [45])
    layer, memory, q = case.layer, case.sequences[0], generator.normal(size=(2, 2, 16))
    pages = [[np.array([5, 1]), np.array([0, 5])], [np.array([5]), np.array([2, 3, 5])]]
    actual = lserve_reference.attend(layer, memory, pages, q)
    streamed = lserve_reference.attend_streaming(layer, memory, q)
    query = torch.tensor(dsa_reference.rotate_half(q, 44, dsa_reference.rope_frequencies(16, 5e5)))
    for head, g in np.ndindex(2, 2):
        seen = {"own": [t for t in range(45) if t // 8 in pages[head][g]], "window": [*range(8), *range(29, 45)]}
        for name, cache, found in (("own", memory.retrieval, actual), ("window", memory.streaming, streamed)):
            rows = seen[name]
            keys = torch.tensor(cache.keys[rows, head] * cache.key_scale[rows, head, None])
            values = torch.tensor(cache.values[rows, head] * cache.value_scale[rows, head, None])
            expected = torch.nn.functional.scaled_dot_product_attention(
                query[head, g][None, None], keys[None], values[None]
            )
            np.testing.assert_allclose(found[head, g], expected[0, 0].numpy(), atol=1e-12)


def test_page_scores_bound_what_their_keys_score() -> None:
    generator = np.random.default_rng(6)
    layer = lserve_reference.Layer(4, 8, 3, 4, 8, 16)
    keys = dsa_reference.to_bf16(generator.normal(size=(21, 2, 16)))
    memory = lserve_drive.sequence_of(layer, keys, keys, keys, keys)
    q = generator.normal(size=(2, 3, 16))
    scores = lserve_reference.page_scores(layer, memory, q)
    exact = np.einsum("hgd,thd->hgt", lserve_reference.rotate(q, 20), keys)
    assert scores.shape == (2, 3, 3)
    for page in range(3):
        assert np.all(exact[..., 8 * page : 8 * page + 8].max(-1) <= scores[..., page] + 1e-12)


def test_rotation_keeps_distances_and_depends_on_distance_only() -> None:
    generator = np.random.default_rng(2)
    a, b = generator.normal(size=(2, 16))
    turns = dsa_reference.rope_frequencies(8)
    one = dsa_reference.rotate_half(a, 5, turns) @ dsa_reference.rotate_half(b, 2, turns)
    other = dsa_reference.rotate_half(a, 105, turns) @ dsa_reference.rotate_half(b, 102, turns)
    np.testing.assert_allclose(one, other, atol=1e-12)
    matrix = dsa_reference.hadamard_rotation(16)
    np.testing.assert_allclose((a @ matrix) @ (b @ matrix), a @ b, atol=1e-12)


def test_scales_are_the_least_powers_of_two_that_hold() -> None:
    largest = np.array([448.0, 448.0 * (1 + 2.0**-52), 224.0, 1e-4, 0.0, 7.0])
    _, scale = dsa_reference.quantize(largest[:, None])
    assert scale.tolist() == [1.0, 2.0, 0.5, 2.0**-22, 2.0**-22, 2.0**-6]


def test_slow_pairs_are_stretched_and_fast_ones_kept() -> None:
    plain = dsa_reference.rope_frequencies(64)
    stretched = dsa_reference.yarn_frequencies(64, 10_000.0, 40.0, 4096)
    assert stretched[0] == plain[0]
    assert stretched[-1] == pytest.approx(plain[-1] / 40)
    assert np.all(np.diff(stretched) < 0)


def test_best_skips_what_is_not_a_score() -> None:
    scores = np.array([1.0, np.nan, -np.inf, 3.0, 1.0, np.inf, 1.0])
    assert dsa_reference.best(scores, 4).tolist() == [0, 3, 4, 5]
    assert dsa_reference.best(scores[1:3], 4).tolist() == []


def test_retrieval_from_a_bank_agrees_with_torch() -> None:
    generator = np.random.default_rng(3)
    memory = hmt_reference.empty(slots=4, kept=2, width=6)
    summary, wq, wk = generator.normal(size=6), generator.normal(size=(6, 5)), generator.normal(size=(6, 5))
    assert not hmt_reference.retrieve(memory, summary, wq).any()
    for _ in range(7):
        hmt_reference.push(memory, generator.normal(size=6), wk)
    assert len(memory.bank) == 4
    embeddings, keys = (torch.tensor(np.stack(items)) for items in zip(*memory.bank, strict=True))
    query = torch.tensor(summary @ wq)[None]
    expected = torch.nn.functional.scaled_dot_product_attention(query[None], keys[None], embeddings[None])[0, 0]
    np.testing.assert_allclose(hmt_reference.retrieve(memory, summary, wq), expected.numpy(), atol=1e-12)


def test_a_short_segment_leaves_zeros_of_the_one_before() -> None:
    memory = hmt_reference.empty(slots=1, kept=3, width=1)
    hmt_reference.see(memory, np.array([[1.0], [2.0], [3.0], [4.0]]))
    assert memory.sensory[:, 0].tolist() == [2.0, 3.0, 4.0]
    hmt_reference.see(memory, np.array([[5.0]]))
    assert memory.sensory[:, 0].tolist() == [0.0, 0.0, 5.0]


def torch_normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng([4, seed]).normal(size=shape))


def test_a_surprising_token_is_learned() -> None:
    """Without momentum and forgetting, and a small step, the loss falls by the step times the gradient's square."""
    normal = torch_normal
    layer = titans_reference.Layer(
        persistent=normal(0, 2, 6), wq=normal(1, 6, 6), wk=normal(2, 6, 6), wv=normal(3, 6, 6), aq=normal(4, 6, 2, 3),
        ak=normal(5, 6, 2, 3), av=normal(6, 6, 2, 3), ao=normal(7, 2, 3, 6), gate=torch.zeros(3, 6).double(),
        bias=torch.tensor([-100.0, -100.0, -16.0]).double(),
    )  # fmt: skip
    memory, y = titans_reference.begun(normal(8, 5, 6), normal(9, 6, 5)), normal(10, 1, 6)

    def loss(of: titans_reference.Memory) -> float:
        key, value = titans_reference.unit(torch.nn.functional.silu(y @ layer.wk)), y @ layer.wv
        read = titans_reference.forward(of.first, of.second, key)
        return float(((read - torch.nn.functional.silu(value)) ** 2).sum())

    ((first, second),) = titans_reference.gradients(layer, memory, y)
    step = float(torch.sigmoid(torch.tensor(-16.0).double()))
    fall = step * float((first**2).sum() + (second**2).sum())
    assert loss(memory) - loss(titans_reference.learn(layer, memory, y)) == pytest.approx(fall, rel=1e-4)


def test_attention_sees_what_was_read_and_no_later_token() -> None:
    normal = torch_normal
    zeros = torch.zeros(6, 6).double()
    layer = titans_reference.Layer(
        normal(0, 2, 6), zeros, zeros, zeros, normal(1, 6, 2, 3), normal(2, 6, 2, 3), normal(3, 6, 2, 3),
        normal(4, 2, 3, 6), zeros[:3], zeros[0, :3],
    )  # fmt: skip
    segment, history = normal(5, 4, 6), normal(6, 4, 6)
    before = titans_reference.attend(layer, segment, history)
    segment[2] += 1
    later = titans_reference.attend(layer, segment, history)
    assert torch.equal(before[:2], later[:2]) and not torch.equal(before[2], later[2])
    history[3] += 1
    assert not torch.equal(later[0], titans_reference.attend(layer, segment, history)[0])


@pytest.mark.parametrize("shape", [(5, 5), (4, 7), (7, 4)])
def test_the_iteration_keeps_singular_vectors(shape: tuple[int, int]) -> None:
    u, singular, v = torch.linalg.svd(torch_normal(11, *shape), full_matrices=False)
    turned = u.T @ lact_reference.orthogonal(u @ torch.diag(singular) @ v) @ v.T
    values = torch.diagonal(turned)
    assert float((turned - torch.diag(values)).abs().max()) < 1e-12
    # Muon's quintic takes singular values to 0.7 .. 1.2; those far below the largest are still on their way.
    assert float(values[: len(values) - 1].min()) > 0.6 and float(values.max()) < 1.25


def test_descent_of_the_fast_weights_agrees_with_differences() -> None:
    weights = torch_normal(12, 3, 4), torch_normal(13, 4, 3), torch_normal(14, 3, 4)
    keys, values, rates = torch_normal(15, 6, 4), torch_normal(16, 6, 4), torch_normal(17, 6, 3).abs()
    steps = lact_reference.descent(weights, keys, values, rates)
    for number in range(3):
        first, second, third = (weight + 1e-6 * steps[n] * (n == number) for n, weight in enumerate(weights))
        change = lact_reference.forward((first, second, third), keys) - lact_reference.forward(weights, keys)
        fall = (rates[:, number] * (change * values).sum(-1)).sum() / 1e-6
        assert float(fall) == pytest.approx(float((steps[number] ** 2).sum()), rel=1e-4)
