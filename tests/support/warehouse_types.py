"""Checks that every text column of a statement has a type, which Redshift needs."""

from sqlglot import exp


def bare(node: exp.Expression | None) -> bool:
    """Whether a text has no type: a literal, or a choice of literals."""
    if isinstance(node, exp.Paren):
        return bare(node.this)
    if isinstance(node, exp.Case):
        choices = [one.args["true"] for one in node.args["ifs"]] + [node.args.get("default")]
        return all(one is None or bare(one) for one in choices)
    if isinstance(node, exp.Coalesce):
        return bare(node.this) and all(map(bare, node.expressions))
    if isinstance(node, exp.DPipe):
        return bare(node.this) and bare(node.expression)
    return isinstance(node, exp.Null) or (isinstance(node, exp.Literal) and node.is_string)


def assert_typed(tree: exp.Expression) -> None:
    """Check all columns of a query, and its grouping and partition keys, with `bare`."""
    for select in tree.find_all(exp.Select):
        assert not [one.sql() for one in select.expressions if bare(one.unalias())]
        group = select.args.get("group")
        assert not any(map(bare, group.expressions if group else []))
    for over in tree.find_all(exp.Window):
        assert not any(map(bare, over.args.get("partition_by") or []))
