"""A change of code reruns a job if it may change its result, and only then: all keys of scale `ci`, in process."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.core import fingerprint as module
from blur.core.fingerprint import LEFT_OUT, SOURCE, closure, fingerprint
from blur.core.syntax import text_of, tree_of
from tests.config.reruns import Job, jobs_of, roots_of

CONFIG = Path(__file__).resolve().parents[2] / "config"
HARNESS = "blur.measure.harness"


@pytest.fixture(scope="module")
def roots() -> dict[Job, tuple[str, ...]]:
    plan = Plan(CONFIG, {"scale": "ci"})
    with pytest.MonkeyPatch.context() as monkeypatch:
        return roots_of(plan, jobs_of(plan), monkeypatch)


def test_what_no_fingerprint_covers_is_this_and_nothing_else() -> None:
    core = (
        "commit",
        "extras",
        "hub",
        "kept",
        "locking",
        "processes",
        "progress",
        "remedy",
        "shipped",
        "usage",
        "words",
    )
    stages = ("card", "tracking")
    named = [f"core.{name}" for name in core] + [f"stages.{name}" for name in stages]
    assert LEFT_OUT.keys() == {"blur", "blur.cli", "blur.config", *(f"blur.{name}" for name in named)}
    assert all(reason and module._find(name, SOURCE) for name, reason in LEFT_OUT.items())


def test_only_who_asks_through_the_harness_depends_on_it(roots: dict[Job, tuple[str, ...]]) -> None:
    asking = {(stage, job.task) for (stage, job), found in roots.items() if HARNESS in closure(found)}
    assert asking == {("evaluate", "wmdp"), ("evaluate", "rtt"), ("attack", "rtt")}


def test_what_came_back_depends_on_no_model_and_on_no_other_stage(roots: dict[Job, tuple[str, ...]]) -> None:
    covered = set().union(*(closure(found) for (stage, _), found in roots.items() if stage == "attack_metrics"))
    stages = {name for name in covered if name.startswith("blur.stages.")}
    assert stages == {"blur.stages.attack_metrics", "blur.stages.job"}
    assert not {name for name in covered if name.startswith(("blur.models", "blur.unlearn"))}
    measuring = {name for name in covered if name.startswith("blur.measure.")}
    assert measuring == {"blur.measure.settings", "blur.measure.task_file"}


OPPOSITES: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def sites(node: ast.AST) -> Iterator[ast.AST]:
    """The places of a tree that a result depends on: not where an error is told, nor where settings are checked."""
    decorators = " ".join(ast.dump(one) for one in getattr(node, "decorator_list", ()))
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr) or "_validator" in decorators:
        return
    match node:
        case ast.Constant(value=int() | float()) | ast.Subscript(slice=ast.Constant(value=str())) | ast.Compare():
            yield node
        case ast.BinOp() | ast.BoolOp() if type(node.op) in OPPOSITES:
            yield node
        case ast.Call(args=[one, two, *_]) if ast.dump(one) != ast.dump(two):
            yield node
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and field not in ("annotation", "returns", "decorator_list"):
                yield from sites(child)


def mutate(node: ast.AST) -> None:
    match node:
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant():
            node.value += 1
        case ast.Subscript(slice=ast.Constant() as key):
            key.value += "x"
        case ast.BinOp() | ast.BoolOp():
            node.op = OPPOSITES[type(node.op)]()
        case ast.Compare():
            node.ops[0] = OPPOSITES[type(node.ops[0])]()
        case ast.Call():
            node.args[:2] = node.args[1::-1]


def counted(path: Path, text: str | None = None) -> str:
    return str(hash(text_of(tree_of(text or path.read_text(), is_settings=path.name == "settings.py"))))


def test_two_hundred_mutations_each_replan_their_job(
    roots: dict[Job, tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Constants, operators, comparisons and swapped arguments, drawn from the code that each stage depends on."""
    draw, by_stage = random.Random(15), dict[str, list[tuple[str, ...]]]()
    for (stage, _), found in roots.items():
        by_stage.setdefault(stage, []).append(found)
    known, mutated = cache(counted), dict[Path, str]()
    monkeypatch.setattr(module, "_module_digest", lambda path: mutated.get(path) or known(path))
    monkeypatch.setattr(module, "_fingerprint", module._fingerprint.__wrapped__)
    number = 0
    while number < 200:
        found = draw.choice(by_stage[draw.choice(sorted(by_stage))])
        name = draw.choice(sorted(closure(found)))
        path = module._path(name, SOURCE)
        tree = ast.parse(path.read_text())
        functions = (node for top in tree.body for node in (top, *getattr(top, "body", ())))
        places = [place for node in functions if isinstance(node, ast.FunctionDef) for place in sites(node)]
        if places:
            before, place = fingerprint(found), draw.choice(places)
            line = ast.unparse(place)
            mutate(place)
            mutated[path] = counted(path, ast.unparse(tree))
            assert fingerprint(found) != before, f"{name}:{place.lineno}: {line} -> {ast.unparse(place)}"
            mutated.clear()
            number += 1
