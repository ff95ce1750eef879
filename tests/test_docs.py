"""The README and the pages in docs/: their links, their examples, and the parts of them that programs write."""

import csv
import math
import re
from pathlib import Path

import instructions
import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

import fastiou
import fastiou.numpy

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*PAGES, ROOT / "examples" / "README.md"]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text()))


def broken(page: Path) -> list[str]:
    """Relative links that lead nowhere."""
    found = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" not in link and (not target.exists() or (anchor and anchor not in anchors(target))):
            found.append(link)
    return found


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_lead_somewhere(page):
    assert broken(page) == []


def test_broken_links_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A *b*, c\n[a](#a-b-c) [b](#d) [c](page.md#a-b-c) ![d](no.png)\n```\n# d\n[e](none.md)\n```\n")
    assert broken(page) == ["#d", "no.png"]


def test_every_page_is_reached_from_the_readme_and_the_index():
    pages = {page.name for page in PAGES if page != README}
    for start in (README, ROOT / "docs" / "index.md"):
        assert pages - {Path(link.partition("#")[0]).name for link in links(start)} <= {start.name}


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 200


def test_the_index_names_every_function():
    index = (ROOT / "docs" / "index.md").read_text()
    assert [name for name in (*fastiou.__all__, *fastiou.numpy.__all__) if f"`{name}`" not in index] == []


def rotated_boxes(n: int) -> torch.Tensor:
    return torch.rand(n, 5) * torch.tensor([60.0, 60, 40, 20, 1.5]) + 1


def upright_boxes(*leading: int) -> torch.Tensor:
    corner = torch.rand(*leading, 2) * 60
    return torch.cat([corner, corner + 1 + torch.rand(*leading, 2) * 40], -1)


def names_of(page: str) -> dict:
    """What the examples of a page take for granted."""
    names = {
        "scores": torch.rand(6),
        "classes": torch.randint(3, (6,)),
        "labels": torch.randint(3, (2,)),
        "weight": torch.rand(6),
    }
    if page == "losses.md":
        names |= dict(pred=upright_boxes(6), target=upright_boxes(6), boxes1=upright_boxes(6), boxes2=upright_boxes(6))
        names |= dict(weight=torch.rand(6, 1), target_scores_sum=torch.tensor(3.0), num_pos=2)
        names |= dict(head=torch.rand(2, 4, 3, 5), targets=upright_boxes(2, 3, 5), points=torch.rand(3, 5, 2) * 60)
        names |= dict(positive=torch.rand(2, 3, 5) < 0.5)
    elif page == "pairwise-matching-nms.md":
        names |= dict(queries=torch.rand(2, 6, 4), targets=upright_boxes(2, 3), is_target=torch.rand(2, 3) < 0.5)
        names |= dict(boxes=upright_boxes(6), anchors=upright_boxes(6), gts=upright_boxes(2), crowds=upright_boxes(1))
        names |= dict(is_gt=torch.tensor([True, False]))
    elif page in ("rotated.md", "pixels.md"):
        names |= {name: rotated_boxes(6) for name in ("pred", "target", "targets", "boxes", "boxes1", "anchors")}
        names |= dict(boxes2=rotated_boxes(3), gts=rotated_boxes(2), predictions=rotated_boxes(6))
        names |= dict(polygons=torch.rand(6, 8), logits=torch.randn(6, 180), math=math)
        names |= dict(binary_cross_entropy_with_logits=binary_cross_entropy_with_logits)
    elif page == "numpy.md":
        own = ("tracks", "detections", "boxes", "anchors", "truth")
        names |= {name: upright_boxes(6).numpy() for name in own} | dict(scores=np.random.rand(6), classes=np.arange(6))
    return names


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_examples_run(page):
    """One after the other, as a reader types them; the README takes nothing for granted."""
    torch.manual_seed(0)
    names = {} if page == README else {"fastiou": fastiou, **names_of(page.name)}
    for block in blocks(page):
        exec(compile(block, name_of(page), "exec"), names)
    assert names.get("loss", torch.zeros(1)).isfinite().all()


def test_tables_are_what_the_committed_files_say(tmp_path):
    """The benchmarks' page and the README's summary, written again from the CSV files that the page names."""
    report = pytest.importorskip("fastiou.benchmarks.report")
    committed = (ROOT / "docs" / "benchmarks.md").read_text()
    results = ROOT / "benchmarks" / "results"
    paths = [results / name for name in re.findall(r"All tables of (\w+\.csv)<", committed)]
    assert len(paths) >= 6
    for page in (ROOT / "docs" / "benchmarks.md", README):
        again = tmp_path / page.name
        again.write_text(page.read_text())
        report.write(paths, plots=False, pages=[again])
        text = re.sub(
            r"\]\([^)]*benchmarks/results/", f"]({'../' * (page != README)}benchmarks/results/", again.read_text()
        )
        assert text == page.read_text()


def test_instructions_are_what_the_committed_file_says():
    """The table of docs/cuda.md, from what tests/machine_code/budgets.py has counted."""
    page = (ROOT / "docs" / "cuda.md").read_text()
    with (ROOT / "benchmarks" / "results" / "instructions.csv").open() as file:
        assert instructions.fill(page, list(csv.DictReader(file))) == page
