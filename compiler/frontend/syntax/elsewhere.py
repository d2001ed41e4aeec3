"""Names that other languages and libraries have and this one has not, and what to write instead.

Each `write` is a statement that compiles beside the declarations of HEAD; a test holds that. The page about the
language lists the table.
"""

from __future__ import annotations

from dataclasses import dataclass

HEAD = """pipeline elsewhere:
    dim D = 8; dim E = 4
    input x: f32[D]
    input y: f32[D]
    input a: f32[E, D]
    input b: f32[D, E]
    input n: i32[D]
    input c: bool[D]
    memory m: f32[D]
"""


@dataclass(frozen=True)
class Instead:
    """Names with one meaning, and a statement that says it; without one, `why` says what to do."""

    names: tuple[str, ...]
    write: str
    why: str = ""

    @property
    def help(self) -> str:
        written = f"write `{self.write}`" if self.write else ""
        return "; ".join(part for part in (self.why, written) if part)


def _row(names: str, write: str, why: str = "") -> Instead:
    return Instead(tuple(names.split()), write, why)


TABLE: tuple[Instead, ...] = (
    _row("matmul mm bmm dot einsum tensordot inner vdot linear", "z[i, j] = sum[k](a[i, k] * b[k, j])"),
    _row("outer", "z[i, j] = x[i] * y[j]"),
    _row("cumsum", "z[i < D] = sum[j](where(j <= i, x[j]))"),
    _row("cumprod", "z[i < D] = prod[j](where(j <= i, x[j]))"),
    _row("cummax", "z[i < D] = max[j](where(j <= i, x[j]))"),
    _row("cummin", "z[i < D] = min[j](where(j <= i, x[j]))"),
    _row("norm", "z = sqrt(sum[d](x[d] ** 2))"),
    _row("variance", "z = var[d](x[d])"),
    _row("std", "z = sqrt(var[d](x[d]))"),
    _row("layer_norm", "z[d] = layernorm[d](x[d], 1e-5)"),
    _row("rms_norm", "z[d] = rmsnorm[d](x[d], 1e-6)"),
    _row("median", "s[i] = sort[d](x[d]); z = s[D // 2]"),
    _row("argsort sorted", "s[i], z[i] = sort[d](x[d])"),
    _row("searchsorted bisect", "z[i] = count[j](x[j] < y[i])"),
    _row("bincount histogram", "z[k < E] = count[j](n[j] == k)"),
    _row("unique", "z[d < D] = not any[e](e < d and x[e] == x[d])", "mark the first of each"),
    _row("nonzero flatnonzero argwhere masked_select compress", "z[j] = select[d](c[d], capacity=D)"),
    _row("amax nanmax", "z = max[d](x[d])"),
    _row("amin nanmin", "z = min[d](x[d])"),
    _row("average", "z = mean[d](x[d])"),
    _row("nansum", "z = sum[d](where(x[d] == x[d], x[d]))"),
    _row("product", "z = prod[d](x[d])"),
    _row("log_softmax", "z[d] = x[d] - max[e](x[e]) - log(sum[f](exp(x[f] - max[e](x[e]))))"),
    _row("gather take take_along_axis index_select embedding", "z[j] = x[n[j]]"),
    _row("scatter put index_put index_copy", "m[n[j]] = x[j]", "a memory is written at computed places"),
    _row("scatter_add index_add", "m[n[j]] += x[j]", "a memory is written at computed places"),
    _row("one_hot", "z[d, k < E] = where(n[d] == k, 1.0, 0.0)"),
    _row("reshape view flatten ravel", "z[i < E, j < 2] = x[2 * i + j]"),
    _row("squeeze unsqueeze expand expand_dims broadcast_to", "z[i < E, d] = x[d]", "indices say what is alike"),
    _row("transpose permute swapaxes moveaxis", "z[d, i] = a[i, d]"),
    _row("stack", "z[i < 2, d] = where(i == 0, x[d], y[d])"),
    _row("cat concatenate hstack vstack", "z[d] = concat[d](x[d], y[d])"),
    _row("split chunk narrow", "z[d < E] = x[E + d]"),
    _row("roll", "z[d < D] = x[(d + 1) % D]"),
    _row("flip", "z[d < D] = x[D - 1 - d]"),
    _row("pad", "z[d < D + 2] = where(d < D, x[d], 0)"),
    _row("tile repeat_interleave", "z[i < 2 * D] = x[i % D]"),
    _row("diag diagonal", "z[i < E] = a[i, i]"),
    _row("trace", "z = sum[i < E](a[i, i])"),
    _row("tril", "z[i, d] = where(d <= i, a[i, d], 0)"),
    _row("triu", "z[i, d] = where(d >= i, a[i, d], 0)"),
    _row("eye identity", "z[i < D, j < D] = f32(i == j)"),
    _row("zeros zeros_like empty", "z[d < D] = 0.0"),
    _row("ones ones_like", "z[d < D] = 1.0"),
    _row("full full_like fill", "z[d < D] = 2.5"),
    _row("arange range linspace iota", "z[d < D] = d"),
    _row("conv conv1d conv2d convolve", "z[d < D - 2] = sum[k < 3](x[d + k] * y[k])"),
    _row("max_pool max_pool1d max_pool2d", "z[i < E] = max[k < 2](x[2 * i + k])"),
    _row("avg_pool avg_pool1d avg_pool2d", "z[i < E] = mean[k < 2](x[2 * i + k])"),
    _row("clip", "z[d] = clamp(x[d], 0, 1)"),
    _row("maximum fmax", "z[d] = max(x[d], y[d])"),
    _row("minimum fmin", "z[d] = min(x[d], y[d])"),
    _row("fabs absolute", "z[d] = abs(x[d])"),
    _row("square sqr", "z[d] = x[d] ** 2"),
    _row("power", "z[d] = x[d] ** y[d]"),
    _row("reciprocal", "z[d] = 1 / x[d]"),
    _row("exp2", "z[d] = 2.0 ** x[d]"),
    _row("expm1", "z[d] = exp(x[d]) - 1"),
    _row("log2", "z[d] = log(x[d]) / log(2)"),
    _row("log10", "z[d] = log(x[d]) / log(10)"),
    _row("log1p", "z[d] = log(1 + x[d])"),
    _row("tan", "z[d] = sin(x[d]) / cos(x[d])"),
    _row("atan arctan", "z[d] = atan2(x[d], 1)"),
    _row("asin arcsin", "z[d] = atan2(x[d], sqrt(1 - x[d] ** 2))"),
    _row("acos arccos", "z[d] = atan2(sqrt(1 - x[d] ** 2), x[d])"),
    _row("arctan2", "z[d] = atan2(x[d], y[d])"),
    _row("sinh", "z[d] = (exp(x[d]) - exp(-x[d])) / 2"),
    _row("cosh", "z[d] = (exp(x[d]) + exp(-x[d])) / 2"),
    _row("trunc", "z[d] = sign(x[d]) * floor(abs(x[d]))"),
    _row("rint", "z[d] = round(x[d])"),
    _row("mod remainder", "z[d] = x[d] % y[d]"),
    _row("fmod", "z[d] = sign(x[d]) * (abs(x[d]) % abs(y[d]))"),
    _row("floor_divide", "z[d] = x[d] // y[d]"),
    _row("elu", "z[d] = where(x[d] > 0, x[d], exp(x[d]) - 1)"),
    _row("celu", "z[d] = where(x[d] > 0, x[d], exp(x[d]) - 1)"),
    _row("selu", "z[d] = 1.0507 * where(x[d] > 0, x[d], 1.67326 * (exp(x[d]) - 1))"),
    _row("prelu", "z[d] = where(x[d] > 0, x[d], y[d] * x[d])"),
    _row("relu6", "z[d] = min(relu(x[d]), 6)"),
    _row("glu", "z[d] = x[d] * sigmoid(y[d])"),
    _row("mish", "z[d] = x[d] * tanh(max(x[d], 0) + log(1 + exp(-abs(x[d]))))"),
    _row("erfc", "z[d] = 1 - erf(x[d])"),
    _row("sinc", "z[d] = where(x[d] == 0, 1.0, sin(3.14159265 * x[d]) / (3.14159265 * x[d]))"),
    _row("swish", "z[d] = silu(x[d])"),
    _row("hypot", "z[d] = sqrt(x[d] ** 2 + y[d] ** 2)"),
    _row("isnan", "z[d] = x[d] != x[d]"),
    _row("isinf", "z[d] = abs(x[d]) == inf"),
    _row("isfinite", "z[d] = abs(x[d]) < inf"),
    _row("isclose allclose", "z = all[d](abs(x[d] - y[d]) <= 1e-6)"),
    _row("logical_and", "z[d] = c[d] and x[d] > 0"),
    _row("logical_or", "z[d] = c[d] or x[d] > 0"),
    _row("logical_not", "z[d] = not c[d]"),
    _row("logical_xor", "z[d] = c[d] != (x[d] > 0)"),
    _row("bitwise_and", "z[d] = n[d] & 15"),
    _row("bitwise_or", "z[d] = n[d] | 15"),
    _row("bitwise_xor", "z[d] = n[d] ^ 15"),
    _row("left_shift", "z[d] = n[d] << 2"),
    _row("right_shift", "z[d] = n[d] >> 2"),
    _row("astype to cast float float32 double float64", "z[d] = f32(n[d])", "floats are computed in f32"),
    _row("half float16", "z[d] = f16(x[d])"),
    _row("bfloat16", "z[d] = bf16(x[d])"),
    _row("int int32", "z[d] = i32(x[d])"),
    _row("long int64", "z[d] = i64(n[d])"),
    _row("len shape size numel", "z = D", "the name of a dim is its extent"),
    _row("pi", "p = 3.14159265358979; z[d] = p * x[d]"),
    _row("nan NaN NAN None null", "z[d] = where(c[d], x[d])", "what is missing is absent"),
    _row("dropout", "", "leave it out: a pipeline computes what inference does"),
    _row("rand randn random uniform normal", "", "declare an input and hand random values in"),
    _row("print", "", "`output` hands a tensor to the caller"),
    _row("detach clone copy contiguous no_grad", "", "leave it out: a name stands for the values that it was given"),
)
INSTEAD: dict[str, Instead] = {name: row for row in TABLE for name in row.names}


CONSTANTS_ELSEWHERE = ("pi", "nan", "none", "null")
"""Those of the names that stand without brackets."""
DTYPES_ELSEWHERE: dict[str, str] = {
    "float": "f32", "float32": "f32", "fp32": "f32", "single": "f32", "half": "f16", "float16": "f16", "fp16": "f16",
    "bfloat16": "bf16", "bfloat": "bf16", "float8": "fp8", "fp8e4m3": "fp8", "fp8e4m3fn": "fp8", "float8_e4m3fn": "fp8",
    "float8_e5m2": "fp8e5m2", "float4_e2m1fn": "fp4", "e2m1": "fp4", "float8_e8m0fnu": "e8m0", "ue8m0": "e8m0",
    "int2": "i2", "uint2": "u2", "int4": "i4", "uint4": "u4", "int8": "i8", "uint8": "u8", "byte": "u8",
    "int16": "i16", "short": "i16", "int": "i32", "int32": "i32", "long": "i64", "int64": "i64", "boolean": "bool",
    "bool_": "bool", "i1": "bool",
}  # fmt: skip
"""What other languages call the dtypes."""


def instead_of(name: str) -> str | None:
    """What to write instead of a name of elsewhere, or None."""
    row = INSTEAD.get(name) or INSTEAD.get(name.lower())
    return None if row is None else row.help
