"""What else must name a new function: the attacks' rows, their committed table, the list of what is not built."""

import re

from scripts.scaffold.name import Name

# What tests/isolation_http writes of a function that answers 501 wherever an id stands.
NOT_BUILT = "{name!s:<20} anywhere             16      501      501      501"


def with_row(text: str, name: Name) -> str:
    """tests/refusals/rows.py with the function in ROWS. Raises ValueError when the file is of another shape."""
    found = re.search(r"^ROWS: .*\{\n(?:.*\n)*?(?=\}\n)", text, re.MULTILINE)
    if found is None:
        raise ValueError("tests/refusals/rows.py has no ROWS = {...}")
    return text[: found.end()] + _row(text, name) + text[found.end() :]


def with_matrix_row(text: str, name: Name) -> str:
    """tests/output/refusals.txt with a row like that of the nearest relative that is not built.

    A claim, as every row there: the test makes the attacks and compares.
    """
    lines = text.splitlines()
    section = [line for line in lines if line.startswith(_section_of(name))]
    guard = f"hmac({name.scheme})" if name.prefix == "webhook" else ""
    relatives = [line for line in section if guard in line]
    if not relatives:
        raise ValueError(f"tests/output/refusals.txt has no row of another {name.prefix}_ function {guard}".rstrip())
    model = next((line for line in relatives if re.search(r"\b501\b", line)), relatives[0])
    found = re.fullmatch(r"(\w+ *) (\S+ *) (.*)", model)
    assert found is not None
    guard = f"queue({name.subject})" if name.prefix == "queue" else found[2].rstrip()
    answers = re.sub(r"\b20[01]\b", "501", found[3]) if name.prefix != "queue" else found[3]
    row = f"{name!s:<{len(found[1])}} {guard:<{len(found[2])}} {answers}"
    before = [line for line in section if line.split()[0] < str(name)]
    place = lines.index(before[-1]) + 1 if before else lines.index(section[0])
    lines.insert(place, row)
    return "\n".join(lines) + "\n"


def with_isolation_row(text: str, name: Name) -> str:
    """tests/isolation_http/rows.py with the function as one that is not built. Raises ValueError, as above."""
    found = re.search(r"^ROWS: .*\{\n(?:.*\n)*?(?=\}\n)", text, re.MULTILINE)
    if found is None:
        raise ValueError("tests/isolation_http/rows.py has no ROWS = {...}")
    return text[: found.end()] + f'    "{name}": Unbuilt(),\n' + text[found.end() :]


def with_isolation_line(text: str, name: Name) -> str:
    """tests/output/isolation_http.txt with the line of a function that is not built: a claim too.

    Raises ValueError when the file names no function.
    """
    lines = text.splitlines()
    section = [line for line in lines if line.startswith(_section_of(name))]
    if not section:
        raise ValueError("tests/output/isolation_http.txt names no function of a person")
    before = [line for line in section if line.split()[0] < str(name)]
    lines.insert(lines.index(before[-1]) + 1 if before else lines.index(section[0]), NOT_BUILT.format(name=name))
    return "\n".join(lines) + "\n"


def with_line(text: str, name: Name) -> str:
    """tests/output/not_built.txt with the function, sorted."""
    lines = text.splitlines()
    head = [line for line in lines if line.startswith("#")]
    return "\n".join([*head, *sorted({*lines} - {*head} | {str(name)})]) + "\n"


def with_maximum(text: str) -> str:
    """tests/test_not_built.py with room for one more."""
    return re.sub(r"^MAXIMUM = (\d+)$", lambda found: f"MAXIMUM = {int(found[1]) + 1}", text, flags=re.MULTILINE)


def with_queue_setting(text: str, name: Name) -> str:
    """shared/settings.py with the environment name of a queue's address."""
    setting = f"{name.subject.upper()}_QUEUE_ARN"
    last = [*re.finditer(r"^    \w+_QUEUE_(?:ARN|URL) = .*\n", text, re.MULTILINE)][-1]
    return text[: last.end()] + f'    {setting} = "{setting}"\n' + text[last.end() :]


def _row(text: str, name: Name) -> str:
    match name.prefix:
        case "webhook":
            model = f"webhook_{name.scheme.replace('meta_signed_request', 'meta_privacy')}"
            found = re.search(rf'^    "{model}": (Signed\(\n(?:.*\n)*?    \),\n)', text, re.MULTILINE)
            if found is None:
                raise ValueError(f"tests/refusals/rows.py has no row of {model}")
            return f'    "{name}": ' + found[1].replace(f'"{model}"', f'"{name}"', 1)
        case "queue":
            return f'    "{name}": Consumer("{name}", "{name.subject}"),\n'
        case "cron" | "public":
            return f'    "{name}": _{name.prefix}("{name}"),\n'
    return f'    "{name}": _console("{name}"),\n'


def _section_of(name: Name) -> tuple[str, ...]:
    """How the names of those begin that are attacked as this one is."""
    return ("ai_", "app_") if name.prefix in ("ai", "app") else (f"{name.prefix}_",)
