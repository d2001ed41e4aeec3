"""Plain text tables: the same in a terminal, a pipe and a file."""

from __future__ import annotations


class Table:
    """Columns under a heading, two spaces apart. A cell is a string; numbers are formatted by the caller."""

    def __init__(self, *headings: str, right: frozenset[int] = frozenset()):
        """`right` are the positions of columns that are aligned to the right."""
        self._rows: list[tuple[str, ...]] = [headings]
        self._right = right

    def add(self, *cells: str) -> None:
        """One row, a cell for each heading."""
        assert len(cells) == len(self._rows[0]), f"{len(cells)} cells for {len(self._rows[0])} columns"
        self._rows.append(cells)

    def __len__(self) -> int:
        return len(self._rows) - 1

    def __str__(self) -> str:
        widths = [max(len(row[column]) for row in self._rows) for column in range(len(self._rows[0]))]
        rule = tuple("-" * width for width in widths)
        lines = [self._rows[0], rule, *self._rows[1:]]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if column in self._right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )


def si(value: float, unit: str) -> str:
    """A quantity with three digits and a decimal prefix: `si(1.5e9, "B")` is `1.5 GB`."""
    for scale, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def time_text(time_us: float) -> str:
    """A time given in microseconds, in the unit that reads best."""
    if time_us >= 1e6:
        return f"{time_us / 1e6:.3g} s"
    return f"{time_us / 1e3:.3g} ms" if time_us >= 1e3 else f"{time_us:.3g} us"


def energy_text(energy_mj: float) -> str:
    """An energy given in millijoules, in the unit that reads best."""
    if energy_mj >= 1e3:
        return f"{energy_mj / 1e3:,.3g} J" if energy_mj < 1e6 else f"{energy_mj / 1e6:,.3g} kJ"
    return f"{energy_mj:.3g} mJ" if energy_mj >= 1 else f"{energy_mj * 1e3:.3g} uJ"
