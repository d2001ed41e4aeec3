"""The decorated object: what it says of itself, what it compiles, what it computes."""

from __future__ import annotations

import linecache
import subprocess
import sys
import textwrap
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import hetc
from hetc import DiagnosticError, HeteroPipeline, hetero_pipeline
from hetc.compiler.embedding import words
from hetc.compiler.explain import render_report
from hetc.compiler.frontend.expand.prelude import prelude
from hetc.compiler.frontend.resolve import functions
from hetc.compiler.vocabulary import FUNCTIONS, STAGES
from hetc.compiler.work_directory import WorkDirectory
from hetc.runtime.errors import ReadOnlyError, StateError
from tests.unit.embedding import pipelines
from tests.unit.embedding.pipelines import attend, double

TEXT = """\
from hetc import f32, hetero_pipeline, le

@hetero_pipeline
def cell(x: f32["N"], *, N=le(64)):
    with prepare:
        y[n] = 3 * x[n]
    return y
"""


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("HETC_CACHE_DIR", str(folder))
        yield folder


def executed(text: str, filename: str, name: str = "cell") -> HeteroPipeline:
    namespace: dict = {}
    exec(compile(text, filename, "exec"), namespace)
    return namespace[name]


def test_what_it_is() -> None:
    assert (attend.name, attend.__doc__) == ("attend", "The best rows of a memory, added up.")
    assert attend.source.startswith('@hetero_pipeline(grows={"T": 1}') and attend.source.endswith("bf16(o)\n")
    assert repr(attend).startswith("<pipeline attend at ") and "pipelines.py:" in repr(attend)
    assert attend.check() == ()
    assert attend.module() is not attend.module()
    assert attend.options.platform == "mi210+u55c"


def test_its_attributes_are_read_only() -> None:
    options = attend.options
    for name, instead in (
        ("options", r"with_options\(dims=...\) gives a pipeline that has others"),
        ("pins", r"with_options\(pins=...\) gives a pipeline that has others"),
        ("program", "a call takes tensors by name"),
        ("W", r"a call takes tensors by name, as in attend\(state, W=...\)"),
    ):
        with pytest.raises(ReadOnlyError, match=rf"'{name}' of <pipeline attend at .*> cannot be set; {instead}"):
            setattr(attend, name, None)
    with pytest.raises(ReadOnlyError, match=r"'name' of .* cannot be deleted"):
        del attend.name
    assert attend.options == options


def test_explain_is_the_table_of_the_command_line() -> None:
    explained = attend.explain()
    assert str(explained) == repr(explained) == render_report(explained.report)
    assert unescape(explained._repr_html_()) == f"<pre>{explained}</pre>"
    assert {row["stage"] for row in explained.report["stages"]} == {"prepare", "relevancy", "retrieve", "apply"}


def test_pins_change_the_placement_of_a_copy_only() -> None:
    pinned = attend.with_options(pins={"relevancy": "gpu", "retrieve": "gpu"})
    placed = {row["stage"]: row["device"] for row in pinned.explain().report["stages"]}
    assert placed["relevancy"] == "gpu"
    assert attend.options.pins == {}
    assert pinned.with_options(pins={"apply": "gpu"}).options.pins == {
        "relevancy": "gpu", "retrieve": "gpu", "apply": "gpu"
    }  # fmt: skip
    with pytest.raises(DiagnosticError, match="did you mean `pins`"):
        attend.with_options(pin={})


def test_inspect_gives_the_text_of_a_stage() -> None:
    placed = attend.with_options(policy="intensity")
    seen = placed.inspect("relevancy")
    assert all("relevancy" in kernel.stages for kernel in seen.kernels)
    assert seen.source and "pipelines.py:" in seen.source
    assert "s[b, t] = sum[d](p[b, d] * keys[b, t, d])" in str(seen)
    assert set(seen.texts) < set(placed.inspect().texts)
    with pytest.raises(DiagnosticError, match="did you mean `relevancy`"):
        attend.inspect("relevance")


def test_compile_writes_a_work_directory_that_knows_its_source(tmp_path: Path) -> None:
    out = attend.compile(tmp_path / "out")
    directory = WorkDirectory.open(out)
    assert directory.manifest["pipeline"] == "attend" and not directory.changed_files()
    lines = directory.source_lines()["pipelines.py"]
    line = attend.tree.name_span.line
    assert lines[line - 1].startswith("def attend(")


def test_compile_overwrites_what_was_edited_only_when_told_to(tmp_path: Path) -> None:
    out = double.compile(tmp_path / "out")
    (host,) = (out / "host").glob("*_host.py")
    text = host.read_text()
    host.write_text(text + "# tuned by hand\n")
    with pytest.raises(DiagnosticError, match=r"edited or removed: host/double_host.py"):
        double.compile(out)
    assert host.read_text() != text
    double.compile(out, force=True)
    assert host.read_text() == text


def test_steps_agree_with_numpy_and_nothing_is_compiled_again(cache: Path) -> None:
    rng = np.random.default_rng(5)
    state = attend.new_state(B=3, T=16)
    folders = sorted((cache / "pipelines").iterdir())
    weight = rng.normal(size=(8, 8)).astype(np.float32)
    rows: list[list[np.ndarray]] = [[], [], []]
    for step, batch in enumerate((3, 3, 2, 1, 3, 3, 3)):
        q, k = rng.integers(-4, 5, size=(2, batch, 8)).astype(np.float32)
        picked, o = attend(state, q=q, k=k, W=weight)
        assert picked.shape == (batch, 4) and str(o.dtype) == "torch.bfloat16"
        for b in range(batch):
            rows[b].append(k[b])
            scores = np.stack(rows[b]) @ (q[b] @ weight)
            best = np.argsort(-scores, kind="stable")[:4]
            assert {int(item) for item in picked[b] if item >= 0} == set(best.tolist()), step
            np.testing.assert_allclose(o[b].float().numpy(), np.stack(rows[b])[best].sum(0), rtol=2**-7)
    assert sorted((cache / "pipelines").iterdir()) == folders
    assert state.lengths["T"].tolist() == [6 + 1, 6, 5]


def test_one_returned_tensor_comes_alone_and_torch_tensors_are_taken() -> None:
    import torch

    state = double.new_state()
    for count in (1, 5, 64):
        x = torch.arange(count, dtype=torch.float32)
        torch.testing.assert_close(double(state, x=x), 2 * x)


def test_several_steps_share_a_state() -> None:
    pipeline = pipelines.log
    state = pipeline.new_state(T=8)
    for value in (1, 2, 4):
        assert pipeline.step("push")(state, x=np.full(4, value, np.float32)) is None
    np.testing.assert_array_equal(pipeline.step("total")(state).numpy(), [7, 7, 7, 7])
    with pytest.raises(StateError, match="has the steps push, total"):
        pipeline(state)
    with pytest.raises(StateError, match="no step 'pop'"):
        pipeline.step("pop")
    assert {row["step"] for row in pipeline.explain().report["stages"]} == {"push", "total"}


def test_the_cache_is_used_unless_its_files_were_edited() -> None:
    first = double.with_options(dims={"N": 32}).compile()
    again = double.with_options(dims={"N": 32})
    before = (first / "manifest.json").stat().st_mtime_ns
    assert again.compile() == first and (first / "manifest.json").stat().st_mtime_ns == before
    assert double.with_options(dims={"N": 16}).compile() != first
    (host,) = (first / "host").glob("*_host.py")
    for path in (host, first / "manifest.json", first / "report.json", first / "source" / "pipelines.py"):
        path.write_text("broken")
        assert double.with_options(dims={"N": 32}).compile() == first
        assert not WorkDirectory.open(first).changed_files()


def test_numbers_around_the_function_are_not_visible_in_it() -> None:
    with pytest.raises(DiagnosticError, match="unknown name `WIDTH`") as caught:
        pipelines.uses_a_global.check()
    assert "`WIDTH` is 64 where the function stands" in str(caught.value)
    assert "pipelines.py:" in str(caught.value) and "^^^^^" in str(caught.value)
    with pytest.raises(DiagnosticError, match="`factor` is 7 where the function stands"):
        pipelines.made_in_a_function(7).explain()


def test_a_notebook_cell_is_read_from_linecache(monkeypatch: pytest.MonkeyPatch) -> None:
    filename = "<ipython-input-3-0123456789ab>"
    text = "x = await_nothing = 1\n" + TEXT
    monkeypatch.setitem(linecache.cache, filename, (len(text), None, text.splitlines(True), filename))
    pipeline = executed(text, filename)
    assert pipeline.check() == ()
    assert repr(pipeline) == "<pipeline cell at ipython-input-3-0123456789ab.py:5>"
    wrong = text.replace("x[n]", "z[n]")
    monkeypatch.setitem(linecache.cache, filename, (len(wrong), None, wrong.splitlines(True), filename))
    with pytest.raises(DiagnosticError) as caught:
        executed(wrong, filename).check()
    assert "ipython-input-3-0123456789ab.py:7:20" in str(caught.value)
    # A notebook shows this in a traceback's place.
    assert caught.value._render_traceback_()[0] == "error[HET100]: unknown tensor `z`"


def test_a_cell_in_ipython(monkeypatch: pytest.MonkeyPatch) -> None:
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    shell = interactive.InteractiveShell()
    assert shell.run_cell("%time 1\n" + TEXT).success
    assert shell.user_ns["cell"].check() == ()
    double_ = shell.run_cell("cell.explain()").result
    assert "prepare" in double_._repr_html_()


def test_text_that_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DiagnosticError, match=r"the text of `cell`, line 3 of <string> cannot be read"):
        executed(TEXT, "<string>")
    with pytest.raises(DiagnosticError, match="found a lambda"):
        hetero_pipeline(lambda x: x)
    for wrong in (3, print, HeteroPipeline):
        with pytest.raises(DiagnosticError, match="takes a function; found"):
            hetero_pipeline(wrong)
    path = tmp_path / "changed.py"
    path.write_text("\n" + TEXT)
    code = compile(TEXT, str(path), "exec")
    with pytest.raises(DiagnosticError, match="the file has changed since it was imported"):
        exec(code, {})


def test_grows_is_text() -> None:
    with pytest.raises(DiagnosticError, match="what a step grows is read as text"):
        text = TEXT.replace("@hetero_pipeline", "@hetero_pipeline(grows=dict(N=1))")
        linecache.cache["<cell-grows>"] = (len(text), None, text.splitlines(True), "<cell-grows>")
        executed(text, "<cell-grows>").check()


def test_importing_the_package_and_writing_a_pipeline_import_no_compiler() -> None:
    program = """
        import sys
        import hetc
        assert not [name for name in sys.modules if name.startswith("hetc.")], sys.modules
        from tests.unit.embedding import pipelines
        heavy = {"xdsl", "lark", "torch", "numpy", "pydantic", "rich"} & set(sys.modules)
        assert not heavy, heavy
    """
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_words_are_those_of_the_language() -> None:
    assert set(words.DTYPE_WORDS) == set(functions.DTYPES)
    assert {*FUNCTIONS, *STAGES, *prelude()} <= set(words.WORDS)
    for name, word in words.WORDS.items():
        assert getattr(hetc, name) is word and name in dir(hetc)


def test_words_of_a_body_say_that_they_compute_nothing() -> None:
    for use in (lambda: hetc.sum([1, 2]), lambda: hetc.topk["t"], lambda: hetc.prepare.__enter__()):
        with pytest.raises(TypeError, match="which is read and not executed"):
            use()
    with pytest.raises(AttributeError, match="no attribute 'smu'"):
        _ = hetc.smu
