"""The testbench of a kernel: reads every argument from tb_data/, runs, compares what was written with what is expected.

`tb_data/ARGUMENT.bin` is a buffer as the host would pass it (a capacity: 4 bytes), `tb_data/ARGUMENT.expected.bin` what
it must hold afterwards, byte by byte; an argument without one is not compared.
"""

from __future__ import annotations

from hetc.backends.hls import c_types
from hetc.dialects import fpga
from hetc.writer import Writer

_HEAD = """#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>
"""

_READ = """static std::vector<char> read_file(const std::string& path, bool needed) {
  std::ifstream file(path, std::ios::binary);
  if (!file && needed) {
    std::fprintf(stderr, "missing %s\\n", path.c_str());
    std::exit(2);
  }
  return std::vector<char>((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

static int differences(const char* name, const std::vector<char>& got) {
  const std::vector<char> expected = read_file(std::string("tb_data/") + name + ".expected.bin", false);
  if (expected.empty()) return 0;
  size_t wrong = expected.size() != got.size();
  for (size_t i = 0; !wrong && i < got.size(); ++i) wrong = got[i] != expected[i] ? i + 1 : 0;
  if (wrong) std::printf("%s differs from byte %zu on\\n", name, wrong - 1);
  return wrong != 0;
}
"""


def testbench(kernel: fpga.KernelOp) -> str:
    """The text of NAME_tb.cpp."""
    name = kernel.sym_name.data
    writer = Writer()
    writer.line(f"// Testbench of {name}.")
    writer.line(f'#include "{name}.h"')
    writer.line()
    writer.line(_HEAD)
    writer.line(_READ)
    with writer.block("int main() {"):
        call = []
        written = []
        for op in kernel.interface:
            argument = op.sym_name.data
            writer.line(f'std::vector<char> {argument}_file = read_file("tb_data/{argument}.bin", true);')
            if isinstance(op, fpga.ScalarOp):
                writer.line(f"int {argument} = 0;")
                writer.line(f"std::memcpy(&{argument}, {argument}_file.data(), sizeof({argument}));")
                call.append(argument)
            else:
                type_ = c_types.storage(op.result.type.element)
                call.append(f"reinterpret_cast<{type_}*>({argument}_file.data())")
                if op.access.data != "read":
                    written.append(argument)
        writer.line(f"{name}(")
        writer.line("    " + ",\n    ".join(call) + ");")
        writer.line("int failures = 0;")
        for argument in written:
            writer.line(f'failures += differences("{argument}", {argument}_file);')
        writer.line('std::printf(failures ? "FAILED\\n" : "PASSED\\n");')
        writer.line("return failures ? 1 : 0;")
    return writer.text()
