"""`hetc fmt`: one layout, comments kept, meaning untouched."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from random import Random

import pytest
from random_programs.generate import generate
from random_programs.spell import spell
from xdsl.printer import Printer

from hetc.compiler.formatter import format_source
from hetc.compiler.frontend import check_source
from hetc.compiler.frontend.syntax.parse import parse
from hetc.diagnostics import DiagnosticError
from hetc.source import SourceFile, read_source

ROOT = Path(__file__).parents[3]
SEEDS = range(60)


def formatted(text: str) -> str:
    return format_source(SourceFile("p.mp", text))


def ir_text(text: str) -> str | None:
    """The module without locations; None where the program is wrong."""
    module = check_source(SourceFile("p.mp", text))[0]
    if module is None:
        return None
    stream = StringIO()
    Printer(stream=stream).print_op(module)
    return stream.getvalue()


def parses(path: Path) -> bool:
    try:
        parse(read_source(path))
    except DiagnosticError:
        return False
    return True


def comments(text: str) -> list[str]:
    return [line[line.index("#") + 1 :].strip() for line in text.splitlines() if "#" in line]


FILES = [path for path in sorted(ROOT.glob("**/*.mp")) if "out" not in path.parts and parses(path)]


def test_there_are_files() -> None:
    assert {path.stem for path in FILES} >= {"dsa", "bm25", "codebook", "decay"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_means_the_same_and_is_formatted_once(path: Path) -> None:
    text = read_source(path).text
    result = formatted(text)
    assert formatted(result) == result
    assert ir_text(result) == ir_text(text)
    assert comments(result) == comments(text)


def roughened(text: str, random: Random) -> str:
    """The same program with other spaces: around operators, in front of lines, behind them."""
    lines = []
    for line in text.splitlines():
        depth = (len(line) - len(line.lstrip())) // 4
        words = line.strip().split(" ")
        body = "".join(word + " " * random.choice((1, 1, 2, 5)) for word in words).rstrip()
        body = body.replace(", ", random.choice((",", " , ", ", "))).replace("(", random.choice(("(", "( ")))
        comment = random.choice(("", "", f"  # {random.randrange(9)} note"))
        lines.append(" " * (3 * depth) + body + comment + " " * random.choice((0, 0, 2)))
        lines += [""] * random.choice((0, 0, 0, 1, 3))
    return random.choice(("\n", "\r\n")).join(lines)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs_in_any_spacing(seed: int) -> None:
    plain = spell(generate(seed))
    rough = roughened(plain, Random(seed))
    result = formatted(rough)
    assert formatted(result) == result
    assert ir_text(result) == ir_text(plain) is not None
    assert comments(result) == comments(rough)
    bare = "\n".join(line.partition("#")[0].rstrip() for line in result.splitlines() if line.strip())
    assert bare == "\n".join(line.rstrip() for line in formatted(plain).splitlines())


ROUGH = '''

#!first
pipeline   p   grows T   by 1 :
  """Doc   stays
     as it is.  """
  dim B<=4 ;dim   T <= 64   per B;   # dims

  dim D=2 ** 3 # eight
  #between
  input x :f32[ B,D ];


  memory keys: f32[B,T,D]=-1.5 #start
  prepare :
      append( keys,x ) ; y[b]=sum [d] (x[b,d]**2)*-2 ** d # both
      # last of prepare
  # of the pipeline
  relevancy @ fpga:
     repeat 3:
       z[b] = (y[b]   # a
   +y [b]/D**-1
         # alone
   )  # behind
     m[b]=~ T[b]<<2&T [b]>>~-1|3^- ~T[b]
     w[b,t]=max(where( t<T[b]-1and not(t==0 or t==-t),keys[b,t,0] ),
           y[b],1e-6)
  output w:bf16 , z
  # the end
'''
SMOOTH = '''\
#!first
pipeline p grows T by 1:
    """Doc   stays
     as it is.  """
    dim B <= 4; dim T <= 64 per B  # dims

    dim D = 2**3  # eight
    # between
    input x: f32[B, D]

    memory keys: f32[B, T, D] = -1.5  # start
    prepare:
        append(keys, x); y[b] = sum[d](x[b, d] ** 2) * -2**d  # both
        # last of prepare
    # of the pipeline
    relevancy @fpga:
        repeat 3:
            z[b] = (y[b]  # a
                    + y[b] / D**-1
                    # alone
                    )  # behind
        m[b] = ~T[b] << 2 & T[b] >> ~-1 | 3 ^ -~T[b]
        w[b, t] = max(where(t < T[b] - 1 and not (t == 0 or t == -t), keys[b, t, 0]),
                      y[b], 1e-6)
    output w: bf16, z
    # the end
'''


def test_the_layout() -> None:
    assert formatted(ROUGH) == SMOOTH
    assert formatted(SMOOTH) == SMOOTH


def test_comments_of_consecutive_lines_stand_in_one_column() -> None:
    text = "pipeline p:\n    dim A = 1 # a\n    dim LONG = 2   # b\n    dim C = 3\n\n    dim D = 4 # d\n    output A\n"
    lines = formatted(text).splitlines()
    assert lines[1:6] == ["    dim A = 1     # a", "    dim LONG = 2  # b", "    dim C = 3", "", "    dim D = 4  # d"]


def test_a_bracket_that_ends_its_line_indents_by_four() -> None:
    text = (
        "pipeline p:\n    dim A = 1\n    prepare:\n        y = max(\n    1,\n min(\n  2,\n  3\n ),\n )\n    output y\n"
    )
    expected = ["        y = max(", "            1,", "            min(", "                2,", "                3"]
    assert formatted(text).splitlines()[3:10] == [*expected, "            ),", "        )"]


def test_text_without_a_pipeline_is_refused() -> None:
    for wrong in ("", "pipeline p:\n  dim B <= \n", "pipeline p\n"):
        with pytest.raises(DiagnosticError):
            formatted(wrong)
