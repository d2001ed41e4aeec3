# ruff: noqa
from hetc import bf16, hetero_pipeline, le, memory, paged, planes, record, ring, sparse


@hetero_pipeline(grows={"T": 1})
def layouts(
    k: bf16["B", "D"],
    a: memory(bf16["B", "T", "D"], layout=sparse(4)),
    b: memory(bf16["B", "T", "D"], layout=paged(0)),
    c: memory(bf16["B", "T", "D"], layout=record("d")),
    d: memory(ring(bf16["B", "D"]), layout=paged(4)),
    e: memory(bf16["B", "D"], layout=planes("a")),
    f: memory(ring(bf16["B", "T", "D"])),
    *,
    B=le(4),
    T=le(256, per="B"),
    D=16,
):
    with prepare:
        append(a, k)
    return k
