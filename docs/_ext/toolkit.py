"""Parts of the documentation that are generated from the code: the options of commands, the metrics."""

import argparse
import itertools
import re
import runpy
import shlex
import sys
import warnings
from collections import ChainMap
from collections.abc import Iterable
from io import StringIO
from unittest import mock

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from nasbench.metrics import DATASETS, METRICS, describe_metric, exists
from oneshot import Diagram
from oneshot.draw import figure


class _Parser(Exception):  # noqa: N818, carries a parser out of a command
    """The parser of a command that has begun."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def find_parser(command: str) -> argparse.ArgumentParser:
    """Return the parser of `MODULE [ARGUMENT ...]`: start the command and stop it when it parses."""

    def stop(parser: argparse.ArgumentParser, *_: object) -> None:
        raise _Parser(parser)

    module, *arguments = shlex.split(command)
    try:
        with (
            mock.patch("argparse.ArgumentParser.parse_args", stop),
            mock.patch.object(sys, "argv", [module, *arguments]),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # of modules that are imported already
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except _Parser as found:
        parser = found.parser
    else:
        raise LookupError(f"python -m {command} parses no arguments")
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and arguments:
            return action.choices[arguments[0]]
    return parser


def inline(text: str) -> list[nodes.Node]:
    """Return text with its parts in backticks as code."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    return [nodes.literal(part, part) if i % 2 else nodes.Text(part) for i, part in enumerate(parts)]


class CommandDirective(SphinxDirective):
    """`command`: the usage, description and options of `python -m MODULE [ARGUMENT ...]`.

    `only`: list only the groups of options with these titles, separated by commas, and no usage.
    """

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"only": directives.unchanged, "without": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        try:
            parser = find_parser(self.arguments[0])
        except LookupError as error:
            raise self.error(str(error)) from None
        only, without = (
            {title.strip() for title in self.options.get(name, "").split(",") if title.strip()}
            for name in ("only", "without")
        )
        groups = [
            group
            for group in parser._action_groups
            if (not only or group.title in only) and group.title not in without
        ]
        result: list[nodes.Node] = []
        if not only:
            result = list(self._head(parser))
        for group in groups:
            actions = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
            actions = [a for a in actions if not isinstance(a, argparse._HelpAction)]
            if actions:
                result += [nodes.rubric("", "", *inline(group.title or "")), self._list(parser, actions)]
        if parser.epilog and not only:
            result.append(nodes.literal_block(parser.epilog, parser.epilog, language="text"))
        return result

    def _head(self, parser: argparse.ArgumentParser) -> Iterable[nodes.Node]:
        usage = parser.format_usage().removeprefix("usage: ").rstrip()
        yield nodes.literal_block(usage, usage, language="text")
        if parser.description:
            yield nodes.paragraph("", "", *inline(parser.description))

    def _list(self, parser: argparse.ArgumentParser, actions: list[argparse.Action]) -> nodes.definition_list:
        result = nodes.definition_list(classes=["options"])
        for action in actions:
            term = nodes.term("", "", *self._names(action))
            self._target(parser, action, term)
            text = parser._get_formatter()._expand_help(action) if action.help else ""
            result += nodes.definition_list_item(
                "", term, nodes.definition("", nodes.paragraph("", "", *inline(text)))
            )
            if isinstance(action, argparse._SubParsersAction):
                result += [
                    nodes.definition_list_item(
                        "",
                        nodes.term("", "", nodes.literal("", choice.dest)),
                        nodes.definition("", nodes.paragraph("", "", *inline(choice.help or ""))),
                    )
                    for choice in action._choices_actions
                ]
        return result

    def _names(self, action: argparse.Action) -> Iterable[nodes.Node]:
        value = ""
        if action.nargs != 0:
            value = argparse.HelpFormatter("")._format_args(
                action, str(action.metavar or action.dest).upper()
            )
            if action.choices is not None and action.metavar is None:
                value = "{" + ",".join(map(str, action.choices)) + "}"
        if not action.option_strings:
            yield nodes.literal("", value)
        for i, name in enumerate(action.option_strings):
            if i:
                yield nodes.Text(", ")
            yield nodes.literal("", f"{name} {value}".rstrip())

    def _target(self, parser: argparse.ArgumentParser, action: argparse.Action, term: nodes.term) -> None:
        domain = self.env.domains.standard_domain
        program = parser.prog.replace(" ", "-")
        for name in action.option_strings:
            label = nodes.make_id(f"{parser.prog}{name}")
            if (program, name) not in domain.progoptions:
                term["ids"].append(label)
                domain.add_program_option(program, name, self.env.docname, label)


class MermaidDirective(SphinxDirective):
    """`mermaid`: a flowchart of subgraphs and arrows, drawn without JavaScript: a panel per subgraph."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        panels: dict[str, list[tuple[str, str]]] = {"": []}
        titles, names, current = {"": "packages"}, {}, ""
        for line in self.content:
            if match := re.match(r'\s*subgraph (\S+) \["(.*)"\]', line):
                current = match[1]
                panels[current], titles[current] = [], match[2]
            elif line.strip() == "end":
                current = ""
            else:
                for name, label in re.findall(r"([\w.]+)\[(\w+)\]", line):
                    names[name] = label
                if match := re.match(r"\s*([\w.]+)\S* --> ([\w.]+)", line):
                    panels[current].append((match[1], match[2]))
        diagrams = [_diagram(titles[key], edges, names) for key, edges in panels.items() if edges]
        drawn = StringIO()
        figure(diagrams, layout="own").savefig(drawn, format="svg", transparent=True)
        svg = drawn.getvalue()
        svg = svg[svg.index("<svg") :]
        return [nodes.raw("", f'<div class="drawn">{svg}</div>', format="html")]


def _diagram(title: str, edges: list[tuple[str, str]], names: dict[str, str]) -> Diagram:
    ids = {name: number for number, name in enumerate(dict.fromkeys(itertools.chain(*edges)))}
    boxes = tuple((number, names.get(name, name), "node") for name, number in ids.items())
    return Diagram(title, boxes, tuple((ids[source], ids[target], "") for source, target in edges))


class MetricsDirective(SphinxDirective):
    """`metrics`: the table of all metrics, by the code that defines them."""

    def run(self) -> list[nodes.Node]:
        head = ("metric", "unit", "better", "meaning", "defined by")
        rows = []
        for metric in METRICS.values():
            better = "higher" if metric.higher_is_better else "lower"
            rows.append((f"`{metric.name}`", metric.unit, better, metric.meaning, metric.source))
        return [build_table(head, rows)]


class SetsDirective(SphinxDirective):
    """`image-sets`: which images and which training run each accuracy belongs to."""

    def run(self) -> list[nodes.Node]:
        rows = [
            (f"`{metric.name}`", f"`{dataset}`", describe_metric(dataset, metric))
            for metric in METRICS.values()
            if metric.kind == "accuracy"
            for dataset in DATASETS
            if exists(dataset, metric)
        ]
        return [build_table(("metric", "data set", "meaning"), rows)]


def build_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> nodes.table:
    """Return a table; cells can have code in backticks."""
    head = list(head)
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group)


def _row(cells: Iterable[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *inline(cell))) for cell in cells))


def show_commands(app: Sphinx, doctree: nodes.document) -> None:
    """Show the cells of tutorials that run a shell without the line that says so."""
    for block in doctree.findall(nodes.literal_block):
        text = block.astext()
        if text.startswith("%%sh\n"):
            text = text.removeprefix("%%sh\n")
            block.children = [nodes.Text(text)]
            block.rawsource = text
            block["language"] = "sh"


def link_errors(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Write the errors that a function raises with their modules, so that they link to the right ones."""
    module = getattr(obj, "__module__", None) or "nasbench"
    errors = [f"{module.split('.')[0]}.errors", "nasbench.errors"]
    names = ChainMap(*(vars(sys.modules[place]) for place in (module, *errors) if place in sys.modules))

    def qualified(match: re.Match[str]) -> str:
        error = names.get(match[0])
        is_ours = isinstance(error, type) and error.__module__ != "builtins"
        return f"~{error.__module__}.{error.__name__}" if is_ours else match[0]

    for i, line in enumerate(lines):
        if match := re.match(r":raises ([\w, ]+):", line):
            raised = re.sub(r"\w+", qualified, match[1])
            lines[i] = f":raises {raised}:{line[match.end() :]}"
        elif line.startswith(":returns:"):
            lines[i] = line.replace(" -- ", " \u2013 ", 1)


def use_dashes(app: Sphinx, doctree: nodes.document) -> None:
    """Set a dash between a parameter's name and its description."""
    for text in list(doctree.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" \u2013 "))


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives to Sphinx."""
    app.add_directive("command", CommandDirective)
    app.add_directive("mermaid", MermaidDirective)
    app.add_directive("metrics", MetricsDirective)
    app.add_directive("image-sets", SetsDirective)
    app.connect("doctree-read", show_commands)
    app.connect("doctree-read", use_dashes)
    app.connect("autodoc-process-docstring", link_errors, priority=900)  # once napoleon has read them
    return {"parallel_read_safe": True, "parallel_write_safe": True}
