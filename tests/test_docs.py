"""The pages for people name files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from blur.config.plan import Plan
from blur.stages.tracking import FOLDER
from blur.workflow import paper

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "config/README.md", ROOT / "data/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMENT = re.compile(r"<!--.*?-->", re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = COMMENT.sub("", page.read_text(encoding="utf-8"))
    links = [link for link in re.findall(r"\]\(([^)\s#]+)", text) if not link.startswith("https://")]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_tree_in_the_readme_is_the_checkout_s() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = next(block for block in re.findall(r"^```text\n(.*?)^```", text, re.S | re.M) if block.startswith("."))
    above: list[str] = []
    found = []
    for line in block.splitlines()[1:]:
        branch, name = re.match(r"([│ ]*[├└]── )(\S+)", line).groups()
        above = [*above[: len(branch) // 4 - 1], name]
        found.append("/".join(above))
        assert "#" in line, "each has a comment"
    assert "src/blur/unlearn/combine/bilevel.py" in found
    assert [path for path in found if path != "results" and not (ROOT / path).exists()] == []
    packages = {path.parent.name for path in (ROOT / "src/blur").glob("*/__init__.py")}
    assert {f"src/blur/{name}" for name in packages} <= set(found)


def test_configuration_is_described_folder_by_folder() -> None:
    described = re.findall(r"^\| `([\w.]+)/?` \|", (ROOT / "config/README.md").read_text(encoding="utf-8"), re.M)
    assert sorted(described) == sorted(path.name for path in (ROOT / "config").iterdir() if path.name != "README.md")


def test_the_licence_is_the_one_that_is_cited() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith(f"{cited['license']} License")
    assert f'version = "{cited["version"]}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_what_is_said_of_make_sync_is_what_the_makefile_says_and_does() -> None:
    recipe = re.search(r"^sync: env ## (.+)\n\t(.+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert recipe
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    assert f"`make sync`: {recipe[1][0].lower()}{recipe[1][1:]}." in " ".join(text.split())
    assert recipe[2].split()[-1] == str(FOLDER / "wandb"), "wandb writes into a folder of its own in ours"


def test_the_paper_beside_us_is_what_the_command_writes_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without results: what is run here is no part of the checkout."""
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    monkeypatch.chdir(tmp_path)
    page = paper.text(Plan(ROOT / "config", {"scale": "paper"}))
    assert (ROOT / "docs/results/paper.md").read_text(encoding="utf-8") == page, "type `blur paper`"
