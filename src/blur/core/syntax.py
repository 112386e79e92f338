"""What of a module's code can change a result: its syntax tree without the rest, and the text of that tree.

Comments, layout, docstrings and what is imported for types only go. So do the words of errors made for a person
(``blur.core.errors``), which end a job and are data to nobody. Words are, in ``raise ConfigError(...)`` and its like
alone, the texts and literal parts of f-strings that are an argument, a branch or a summand of one; and those of a local
variable that is read in such places and nowhere else. Whatever is computed stays. So do the words of any other
exception, since a handler may keep them (why a metric is not defined); a test holds handlers to that.

Of a module of settings, fields, types and validators go too: a key holds the settings that they resolve to. Methods,
properties and constants stay.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

ERRORS = "blur.core.errors"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SKIPPED_FIELDS = {"ctx", "kind", "type_comment", "type_ignores", "type_params"}
_READ_ALL = {"eval", "exec", "locals", "vars"}  # they read local variables without naming them
_VALIDATORS = {"field_validator", "model_validator"}
_TYPES = {"Annotated", "Literal"}


def tree_of(text: str, is_settings: bool = False) -> ast.Module:
    """Return the tree of a module's source without what can change no result, but for docstrings.

    Args:
        is_settings: whether it is a module of settings.
    """
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if not _is_for_types(node)]
    tree = _Wordless(tree).visit(tree)
    return _without_fields(tree) if is_settings else tree


def text_of(tree: ast.Module) -> str:
    """Return a tree as text without docstrings, empty fields and positions: Python 3.11, 3.12 and 3.13 agree on it."""
    parts: list[str] = []
    _serialise(tree, parts)
    return "".join(parts)


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


class _Wordless(ast.NodeTransformer):
    """Empties the words of a person's errors, function by function; one inside another belongs to the outer."""

    def __init__(self, tree: ast.Module) -> None:
        imports = (node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == ERRORS)
        names = (alias for node in imports for alias in node.names if alias.name.endswith("Error"))
        self._errors = {alias.asname or alias.name for alias in names}
        self._variables: frozenset[str] | None = None  # of the function around: those that only its errors read

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if self._variables is not None:
            return self.generic_visit(node)
        self._variables = self._read_by_errors_only(node)
        self.generic_visit(node)
        self._variables = None
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call) and self._is_for_a_person(node):
            node.exc.args = [_wordless(value) for value in node.exc.args]
            for keyword in node.exc.keywords:
                keyword.value = _wordless(keyword.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        target, value = node.targets[0], node.value
        if len(node.targets) > 1:
            return node
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            pairs = zip(target.elts, value.elts, strict=True)
            value.elts = [_wordless(one) if self._is_words(name) else one for name, one in pairs]
        elif self._is_words(target):
            node.value = _wordless(value)
        return node

    def _is_words(self, target: ast.expr) -> bool:
        return isinstance(target, ast.Name) and target.id in (self._variables or ())

    def _is_for_a_person(self, node: ast.AST) -> bool:
        call = node.exc if isinstance(node, ast.Raise) else None
        return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in self._errors

    def _read_by_errors_only(self, function: ast.AST) -> frozenset[str]:
        nodes = list(ast.walk(function))
        told = {id(name): name.id for node in nodes if self._is_for_a_person(node) for name in _names_in(node)}
        names = (node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
        read = {name.id for name in names if id(name) not in told}
        if read & _READ_ALL:
            return frozenset()
        shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
        attributes = (part for node in nodes if isinstance(node, ast.ClassDef) for part in node.body)
        shared |= {node.id for part in attributes for node in _outside_functions(part) if isinstance(node, ast.Name)}
        return frozenset(told.values()) - read - shared


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it that belong to no function of their own."""
    if not isinstance(node, _FUNCTIONS):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def _names_in(node: ast.AST) -> Iterator[ast.Name]:
    """Yield the variables that are a raised call's words or a part of them."""
    assert isinstance(node, ast.Raise)
    assert isinstance(node.exc, ast.Call)
    pending: list[ast.expr] = [*node.exc.args, *(keyword.value for keyword in node.exc.keywords)]
    while pending:
        value = pending.pop()
        if isinstance(value, ast.Name):
            yield value
        elif isinstance(value, ast.JoinedStr):
            pending += [part.value for part in value.values if isinstance(part, ast.FormattedValue)]
        elif isinstance(value, ast.IfExp):
            pending += [value.body, value.orelse]
        elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            pending += [value.left, value.right]


def _wordless(value: ast.expr) -> ast.expr:
    """Return an argument's expression without its words; what it computes stays."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return ast.Constant("")
    if isinstance(value, ast.JoinedStr):
        computed = [part for part in value.values if isinstance(part, ast.FormattedValue)]
        return ast.JoinedStr(computed) if computed else ast.Constant("")  # type: ignore[arg-type]
    if isinstance(value, ast.IfExp):
        return ast.IfExp(value.test, _wordless(value.body), _wordless(value.orelse))
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        return ast.BinOp(_wordless(value.left), value.op, _wordless(value.right))
    return value


def _without_fields(tree: ast.Module) -> ast.Module:
    """Return a module of settings without fields, types and validators, and without the imports that only they need."""
    tree.body = [node for node in tree.body if not _is_type(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not node.decorator_list:  # a dataclass is no settings
            node.body = [part for part in node.body if not (_is_field(part) or _is_validator(part))]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name).partition(".")[0] in used]
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom) or node.names]
    return tree


def _is_type(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Assign) else None
    return isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name) and value.value.id in _TYPES


def _is_field(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.dump(node.annotation)


def _is_validator(node: ast.stmt) -> bool:
    calls = (one.func for one in getattr(node, "decorator_list", ()) if isinstance(one, ast.Call))
    return any(isinstance(called, ast.Name) and called.id in _VALIDATORS for called in calls)


def _serialise(node: object, parts: list[str]) -> None:
    """Append the text of ``node`` to ``parts``."""
    if isinstance(node, ast.AST):
        parts.append(f"({type(node).__name__}")
        for field, value in ast.iter_fields(node):
            if isinstance(node, ast.JoinedStr) and isinstance(value, list):
                value = _join_literals(value)
            if isinstance(value, list):
                value = [item for item in value if not _is_docstring(item)]
            if field in _SKIPPED_FIELDS or value is None or value == []:
                continue
            parts.append(f" {field}=")
            _serialise(value, parts)
        parts.append(" None)" if isinstance(node, ast.Constant) and node.value is None else ")")
    elif isinstance(node, list):
        parts.append("[")
        for item in node:
            _serialise(item, parts)
            parts.append(",")
        parts.append("]")
    else:
        parts.append(f"{type(node).__name__}:{node!r}")


def _join_literals(values: list[ast.expr]) -> list[ast.expr]:
    """Merge neighbouring literal parts of an f-string and drop empty ones: Python 3.12 has more of both."""
    merged: list[ast.expr] = []
    for value in values:
        last = merged[-1] if merged else None
        if isinstance(last, ast.Constant) and isinstance(value, ast.Constant):
            merged[-1] = ast.Constant(str(last.value) + str(value.value))
        else:
            merged.append(value)
    return [v for v in merged if not (isinstance(v, ast.Constant) and v.value == "")]


def _is_docstring(node: object) -> bool:
    """Whether a statement is a mere text: the docstring of what it stands in, or of what it follows."""
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
