"""What counts of a module's code: everything but what cannot change a result."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from blur.core import errors
from blur.core.fingerprint import SOURCE
from blur.core.syntax import ERRORS, text_of, tree_of

HEAD = f"from {ERRORS} import ConfigError, DataError as Wrong, as_told\n"
NO_STAGE = {"bench", "cli", "config", "planner", "warm", "workflow"}  # of no stage's code


def counted(code: str, is_settings: bool = False) -> str:
    return text_of(tree_of(HEAD + code, is_settings))


def in_function(*lines: str) -> str:
    return "def f(a, b):\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (['raise ConfigError("no file", "here", remedy="Add it")'], ['raise ConfigError("gone", "x", remedy="")']),
        (['raise Wrong(f"{a} of {b!r:>4} texts") from a'], ['raise Wrong(f"of {a}{b!r:>4}") from a']),
        (['raise Wrong("one " + f"{a}" if b else "two")'], ['raise Wrong("" + f"{a}." if b else f"three")']),
        (['what = f"{a} texts"', 'where, b = "here", 1', "raise Wrong(what, f'{where}: x')"],
         ['what = f"items: {a}"', 'where, b = "there", 1', "raise Wrong(what, f'{where}')"]),
        (['what = "x"', "def g():", '    raise Wrong(what, "y")', "return g"],
         ['what = "z"', "def g():", '    raise Wrong(what, "")', "return g"]),
        (['"""Say."""', "return 1", '"What it is."'], ["return 1"]),
    ],
)  # fmt: skip
def test_words_of_a_persons_error_and_docstrings_do_not_count(before: list[str], after: list[str]) -> None:
    assert counted(in_function(*before)) == counted(in_function(*after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (['raise ValueError("one")'], ['raise ValueError("two")']),
        (['raise NotDefinedError("one")'], ['raise NotDefinedError("two")']),
        (['raise as_told("one")'], ['raise as_told("two")']),
        (['raise ConfigError("one")'], ['raise Wrong("one")']),
        (['raise ConfigError(f"{a}")'], ['raise ConfigError(f"{b}")']),
        (['raise ConfigError(f"{a:.3g}")'], ['raise ConfigError(f"{a:.4g}")']),
        (['raise ConfigError(a["one"])'], ['raise ConfigError(a["two"])']),
        (['raise ConfigError(a.pop("one"))'], ['raise ConfigError(a.pop("two"))']),
        (['raise ConfigError("one" if a == "x" else b)'], ['raise ConfigError("one" if a == "y" else b)']),
        (["raise ConfigError(1)"], ["raise ConfigError(2)"]),
        (['return ConfigError("one")'], ['return ConfigError("two")']),
        (['a.note("one")', "raise ConfigError(b)"], ['a.note("two")', "raise ConfigError(b)"]),
        (['what = "one"', "a.add(what)", "raise Wrong(what)"], ['what = "two"', "a.add(what)", "raise Wrong(what)"]),
        (['what = "one"', "raise Wrong(what.upper())"], ['what = "two"', "raise Wrong(what.upper())"]),
        (['what = "one"', "raise Wrong(a[what])"], ['what = "two"', "raise Wrong(a[what])"]),
        (['what = a = "one"', "raise Wrong(what)"], ['what = a = "two"', "raise Wrong(what)"]),
        (['what = a("one")', "raise Wrong(what)"], ['what = a("two")', "raise Wrong(what)"]),
        (["global what", 'what = "one"', "raise Wrong(what)"], ["global what", 'what = "two"', "raise Wrong(what)"]),
        (['what = "one"', "a(locals())", "raise Wrong(what)"], ['what = "two"', "a(locals())", "raise Wrong(what)"]),
        (["class A:", '    what = "one"', "raise Wrong(what)"], ["class A:", '    what = "two"', "raise Wrong(what)"]),
        (['what = "one"', "if a:", "    return lambda: what", "raise Wrong(what)"],
         ['what = "two"', "if a:", "    return lambda: what", "raise Wrong(what)"]),
        (['assert a, "one"'], ['assert a, "two"']),
    ],
)  # fmt: skip
def test_whatever_may_reach_a_result_counts(before: list[str], after: list[str]) -> None:
    assert counted(in_function(*before)) != counted(in_function(*after))


def test_an_error_of_the_same_name_from_elsewhere_keeps_its_words() -> None:
    one, two = (text_of(tree_of(f"from x import ConfigError\nraise ConfigError({words!r})")) for words in "ab")
    assert one != two


SETTINGS = '''
from x import Count, Real, product
Kind = Literal["a", "b"]
BASE = 10


class Settings(Strict):
    """Say."""

    one: Count = Field(3, description="of them")
    two: ClassVar[int] = 4

    @model_validator(mode="after")
    def _fits(self):
        return self

    @property
    def both(self):
        return product(self.one, self.two)
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"of them"', '"of these"'),
        ("Field(3,", "Field(5,"),
        ("one: Count", "one: Real"),
        ("    one: Count", "    more: Real = 1.0\n    one: Count"),
        ('"a", "b"', '"a", "b", "c"'),
        ("        return self\n", "        assert self.one\n        return self\n"),
        ("Count, Real, ", "Count, Flag, Real, "),
    ],
)
def test_fields_types_and_validators_of_settings_do_not_count(old: str, new: str) -> None:
    assert old in SETTINGS
    assert counted(SETTINGS, is_settings=True) == counted(SETTINGS.replace(old, new, 1), is_settings=True)
    assert counted(SETTINGS) != counted(SETTINGS.replace(old, new, 1)), "in any other module they do"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("BASE = 10", "BASE = 11"),
        ("ClassVar[int] = 4", "ClassVar[int] = 5"),
        ("product(self.one, self.two)", "product(self.two, self.one)"),
        ("from x import", "from y import"),
        ("(Strict)", "(Loose)"),
    ],
)
def test_methods_properties_and_constants_of_settings_count(old: str, new: str) -> None:
    assert old in SETTINGS
    assert counted(SETTINGS, is_settings=True) != counted(SETTINGS.replace(old, new, 1), is_settings=True)


def stage_code() -> dict[str, ast.Module]:
    paths = (path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
    paths = (path for path in paths if path.parts[0].removesuffix(".py") not in NO_STAGE)
    return {str(path): ast.parse((SOURCE / path).read_text()) for path in paths}


FOR_A_PERSON = {name for name, kind in vars(errors).items() if name.endswith("Error") and isinstance(kind, type)}
SHOWN = {  # what is done with such an error's words besides raising one again: nothing of it gets into a result
    "stages/job.py: error": "a progress line",
    "metrics/tofu_logs.py: error": "a command's standard error",
    "stages/tracking.py: error": "standard error, and the module is left out",
    "core/errors.py: error": "another one of its kind says where it was asked",
    "models/build.py: error": "`unfit_fields` tells them in another one",
    "models/origin.py: error": "`unfit_fields` tells them in another one",
    "owner/forget.py: error": "a printed line says what was skipped",
}


def handlers(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    """The handlers that may get a person's error and give it a name."""
    wide = FOR_A_PERSON | {"Exception", "BaseException"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.name:
            caught = {one.id for one in ast.walk(node.type) if isinstance(one, ast.Name)} if node.type else wide
            if caught & wide:
                yield node


def kept(handler: ast.ExceptHandler) -> bool:
    """Whether a handler does anything with the error but tell it in another one for a person, or name it as a cause."""
    raised = [node for node in ast.walk(handler) if isinstance(node, ast.Raise)]
    again = [one for one in raised if isinstance(one.exc, ast.Call) and getattr(one.exc.func, "id", "") in FOR_A_PERSON]
    fine = {id(node) for one in again for node in ast.walk(one.exc)}
    fine |= {id(one.cause) for one in raised if one.cause}
    names = {handler.name}
    for node in ast.walk(handler):  # words put together first, and told then
        if isinstance(node, ast.Assign) and any(getattr(one, "id", "") in names for one in ast.walk(node.value)):
            names |= {one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)}
            fine |= {id(one) for one in ast.walk(node.value)}
    reads = (one for one in ast.walk(handler) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load))
    return any(one.id in names and id(one) not in fine for one in reads)


def test_nobody_makes_data_of_what_a_persons_error_says() -> None:
    """Its words do not count, so that a result which held them would be stale."""
    found = {f"{path}: {one.name}" for path, tree in stage_code().items() for one in handlers(tree) if kept(one)}
    assert found == SHOWN.keys()
    elsewhere = {"exc_info", "format_exc", "print_exc", "format_exception", "__cause__", "__context__"}
    remedies = "core/hub.py"  # looks for the cause of an error to tell a person what mends it
    for path, tree in ((path, tree) for path, tree in stage_code().items() if path != remedies):
        names = {getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(tree)}
        assert not names & elsewhere, path


@pytest.mark.parametrize(
    ("body", "is_kept"),
    [
        ("raise ConfigError(f'{e}') from e", False),
        ("said = str(e); raise DataError(said, e.where) from e", False),
        ("raise NotDefinedError(e.what)", True),
        ("return str(e)", True),
        ("said = str(e); rows.append(said)", True),
        ("raise ConfigError('x') from (e if log(e) else e)", True),
    ],
)
def test_handlers_are_seen_through(body: str, is_kept: bool) -> None:
    (handler,) = handlers(ast.parse(f"try: f()\nexcept BlurError as e: {body}"))
    assert kept(handler) == is_kept


def test_a_package_does_nothing_when_it_is_imported() -> None:
    """A fingerprint follows `from blur.models.io import load` to that module, not to the package around it."""
    quiet = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.AnnAssign, ast.Assign)
    for path in SOURCE.rglob("__init__.py"):
        for node in ast.parse(path.read_text()).body:
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            targets = node.targets if isinstance(node, ast.Assign) else []
            assigned = [part for target in targets for part in getattr(target, "elts", [target])]
            for_types = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
            assert is_text or for_types or isinstance(node, quiet), f"{path}:{node.lineno}"
            assert all(isinstance(one, ast.Name) for one in assigned), f"{path}:{node.lineno}"
