"""The table of what kernels execute per item, of rows of benchmarks/results/instructions.csv, for a page."""

BEGIN, END = "<!-- instructions:begin -->", "<!-- instructions:end -->"


def table(rows: list[dict[str, str]]) -> str:
    lines = [
        f"Instructions that sm_90 executes per item, their limit, and registers of a thread (nvcc {rows[0]['nvcc']}):",
        "",
        "| | executed | at most | registers |",
        "|---|--:|--:|--:|",
    ]
    for row in rows:
        count = float(row["instructions"])
        shown = f"{count:,.0f}" if count >= 100 else f"{count:.3g}"
        lines.append(f"| {row['case']} | {shown} | {row['budget'] or '–'} | {row['registers']} |")
    return "\n".join(lines)


def fill(page: str, rows: list[dict[str, str]]) -> str:
    """The page, with the table between its marks."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table(rows)}\n\n{END}{after}"
