"""The syntax tree of a module with a call in front of each function's body."""

from __future__ import annotations

import ast


def noted_tree(source: bytes, module: str) -> ast.Module:
    """Return the tree in which every function and lambda calls ``__blur_ran__`` with the module's name first."""
    tree = Noting(module).visit(ast.parse(source))
    assert isinstance(tree, ast.Module)
    return tree


class Noting(ast.NodeTransformer):
    """Puts the call in front of each function's body, after its docstring."""

    def __init__(self, module: str) -> None:
        self.module = module

    def call(self, place: ast.AST) -> ast.Call:
        made = ast.Call(ast.Name("__blur_ran__", ast.Load()), [ast.Constant(self.module)], [])
        return ast.fix_missing_locations(ast.copy_location(made, place))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        place = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body.insert(place, ast.copy_location(ast.Expr(self.call(node)), node))
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.generic_visit(node)
        either = ast.BoolOp(ast.Or(), [self.call(node.body), node.body])  # the call returns None
        node.body = ast.fix_missing_locations(ast.copy_location(either, node.body))
        return node
