"""The GS1 application identifiers, as the browser's scan grammar needs them.

`python -m dashboards.identifiers` writes them anew from the table that the server uses, so that
the terminal accepts and refuses the same element strings.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Final

from biip.gs1_application_identifiers import _GS1_APPLICATION_IDENTIFIERS as IDENTIFIERS

TARGET: Final = Path(__file__).parent / "web/src/terminal/scan/identifiers.json"


def table() -> str:
    """Return the JSON text: `[pattern of the value, separator required, identifiers]` per row."""
    rows: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for code, identifier in IDENTIFIERS.items():
        pattern = identifier.pattern.removeprefix(f"^{code}").removesuffix("$")
        rows[pattern, identifier.separator_required].append(code)
    lines = [
        json.dumps([pattern, int(separator), " ".join(codes)])
        for (pattern, separator), codes in sorted(rows.items())
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
