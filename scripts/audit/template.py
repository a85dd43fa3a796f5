"""serverless.yml with the line of every key, so that a finding can point at it. Variables are left as they stand."""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from scripts.audit.findings import AuditError


class Tag(NamedTuple):
    """A CloudFormation tag: `!GetAtt ReplyQueue.Arn` is Tag("GetAtt", "ReplyQueue.Arn")."""

    name: str
    text: str


class Section(dict[str, Any]):
    """A mapping that knows its own line, that of each key, and which keys stand in it more than once."""

    line: int
    lines: dict[str, int]
    repeated: dict[str, int]

    def line_of(self, key: str) -> int:
        """Where a key stands; the section's own line when it is not there or comes from an anchor above it."""
        return self.lines.get(key, self.line)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with lines and with CloudFormation's tags."""


def _section(loader: _Loader, node: yaml.MappingNode) -> Section:
    lines: dict[str, int] = {}
    repeated: dict[str, int] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            (repeated if key.value in lines else lines)[key.value] = key.start_mark.line + 1
    line = node.start_mark.line + 1
    loader.flatten_mapping(node)
    section = Section((str(key), value) for key, value in loader.construct_pairs(node, deep=True))
    section.line, section.lines, section.repeated = line, lines, repeated
    return section


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> Tag:
    if isinstance(node, yaml.ScalarNode):
        return Tag(suffix, str(node.value))
    if isinstance(node, yaml.SequenceNode) and suffix == "GetAtt":
        return Tag(suffix, ".".join(str(part.value) for part in node.value))
    if isinstance(node, yaml.SequenceNode):
        return Tag(suffix, repr(loader.construct_sequence(node, deep=True)))
    return Tag(suffix, repr(loader.construct_mapping(node, deep=True)) if isinstance(node, yaml.MappingNode) else "")


_Loader.add_constructor("tag:yaml.org,2002:map", _section)
_Loader.add_multi_constructor("!", _tag)


@lru_cache(4)
def _parse(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def load(path: Path) -> Section:
    """Read the file. Callers share the Section: do not change it.

    Raises AuditError when it is missing or no YAML.
    """
    try:
        document = _parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise AuditError(f"{path.name} cannot be read: {error}") from None
    if not isinstance(document, Section):
        raise AuditError(f"{path.name} is no mapping")
    return document
