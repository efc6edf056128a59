"""The small language of templates: words, variables, and a choice between words. Nothing that could run for long or reach anything."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from till_platform.domain import Invalid

MAX_SOURCE = 20_000
MAX_VALUE = 100
FILTERS = frozenset({"upper", "lower", "capitalize", "title", "trim", "default"})

_SPOKEN = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Filter,
)

# Messages are plain text: nothing in them is escaped.
_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


class UnsuitableWording(Invalid):
    """The words of a template cannot be sent: broken, too long, or naming something that is not known."""

    code = "unsuitable-wording"


class UnsayableWording(Exception):
    """Words that cannot be filled in for this message: they name something this happening does not tell."""


def check_wording(
    source: str, *, field: str, variables: AbstractSet[str], samples: Mapping[str, str], longest: int
) -> None:
    """Raise `UnsuitableWording` unless `source` can be filled in, whether a sample value is there or empty.

    `longest` caps the filled-in text, in characters.
    """
    if len(source) > MAX_SOURCE:
        raise UnsuitableWording(f"longer than {MAX_SOURCE} characters", field=field)
    try:
        tree = _environment.parse(source)
    except (TemplateError, RecursionError) as error:
        raise UnsuitableWording(f"cannot be read: {error}", field=field) from error
    if strange := next(_unspoken(tree), None):
        raise UnsuitableWording(f"templates know variables, if and simple filters, not {strange}", field=field)
    if unknown := meta.find_undeclared_variables(tree) - variables:
        raise UnsuitableWording(
            f"names what is not known: {', '.join(sorted(unknown))}", field=field, known=sorted(variables)
        )
    for values in (samples, dict.fromkeys(samples, "")):
        try:
            filled = fill_in(source, values)
        except UnsayableWording as error:
            raise UnsuitableWording(f"cannot be filled in: {error}", field=field) from error
        if not filled:
            raise UnsuitableWording("says nothing", field=field)
        if len(filled) > longest:
            raise UnsuitableWording(f"longer than {longest} characters when filled in", field=field)


def named_in(source: str) -> set[str]:
    """Return the variables that a template names."""
    return meta.find_undeclared_variables(_environment.parse(source))


def fill_in(source: str, values: Mapping[str, str]) -> str:
    """Return the words with the values in their places. A value is one line and of modest length, whatever was typed into it."""
    try:
        filled = _compiled(source).render({name: _one_line(value) for name, value in values.items()})
    except (
        TemplateError,
        TypeError,
        ValueError,
        SyntaxError,
        RecursionError,
    ) as error:  # compiled, too deep nesting is a SyntaxError
        raise UnsayableWording(str(error)) from error
    return filled.strip()


@lru_cache(maxsize=512)
def _compiled(source: str) -> Template:
    return _environment.from_string(source)


def _one_line(value: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in value)
    return " ".join(printable.split())[:MAX_VALUE]


def _unspoken(tree: nodes.Node) -> Iterator[str]:
    for node in (tree, *tree.find_all(nodes.Node)):
        if not isinstance(node, _SPOKEN):
            yield type(node).__name__.lower()
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            yield f"the filter {node.name}"
