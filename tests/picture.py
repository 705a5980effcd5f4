"""The README's pictures: `python -m tests.picture` runs the tool on the sandbox's toy Immich and draws what it shows.

A transfer's analysis and its end as text, and the beginning of its page; each an SVG file that needs nothing else.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import transfer
from tests.sandbox import DEFAULT, toy
from tests.terminal import Terminal

PICTURE, PAGE = (Path(__file__).with_name(name) for name in ("screens.svg", "page.svg"))
PAGE_FIGURES = 17  # people and photos
ROWS, COLUMNS = 24, 80
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341"}
ADDRESS = "http://immich:2283"
SGR = re.compile(r"\x1b\[(\d*)m")


def screens() -> tuple[str, str]:
    """What the tool writes for a transfer, with the colours of a terminal; and the page of its analysis."""
    with tempfile.TemporaryDirectory() as home, toy(DEFAULT, Path(home) / "immich") as config:
        path = Path(home) / "config.py"
        transfer.save_config(path, config)
        with Terminal(path, size=(ROWS, COLUMNS)) as terminal:
            terminal.choose("4", "Summer 2024")
            terminal.answer("Number (1-4")
            terminal.answer("y merges", "y")
            terminal.answer("Type yes [menu]: ", "p")
            terminal.until("Type yes [menu]: ")
            page = next((path.parent / "transfers").glob("*.html")).read_text()
            terminal.type("yes")
            terminal.answer("[later]: ", "yes")
            terminal.until("Saved to:")
        return terminal.raw, page.replace(config.api_url, ADDRESS)


def lines(written: str) -> Iterator[str]:
    """The lines to be drawn: the analysis, with the question and its answer, and how the transfer ends."""
    text = re.sub(r"[^\n]*\r(?!\n)(?:\x1b\[K)?", "", written.replace("\r\n", "\n"))
    title = text.index("TRANSFER ANALYSIS")
    key = text.index("Type yes [menu]: ", title)
    analysis = text[text.rindex("┌", 0, title) : text.index("\n", key)]
    yield from (analysis.removesuffix("p") + "yes").splitlines()
    yield "  ⋮"
    end = text[text.index("To finish:") : text.index("Saved to:")]
    yield from ("  " + end.rstrip()).splitlines()


def drawn(found: list[str]) -> str:
    """Those lines as SVG."""
    height, body = 18, []
    for number, line in enumerate(found, 1):
        spans, colour = [], ""
        for place, piece in enumerate(SGR.split(line)):
            if place % 2:
                colour = COLOURS.get(piece, "")
            elif text := re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", piece):
                fill = f' fill="{colour}"' if colour else ""
                spans.append(f"<tspan{fill}>{escape(text)}</tspan>")
        body.append(f'<text x="16" y="{8 + number * height}" xml:space="preserve">{"".join(spans)}</text>')
    width, tall = round(COLUMNS * 8.5) + 32, (len(found) + 1) * height + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{tall}" viewBox="0 0 {width} {tall}"'
        " font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\""
        ' font-size="14" fill="#e6edf3">\n'
        f'<rect width="{width}" height="{tall}" rx="10" fill="#161b22"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def framed(page: str) -> str:
    """The beginning of a page as SVG, as a browser draws it."""
    style = page[page.index("<style>") : page.index("</style>")] + "</style>"
    body = page[page.index("<h1>") :]
    end = list(re.finditer("</figure>(?:</div>)?", body))[PAGE_FIGURES - 1].end()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="1040" height="1080" viewBox="0 0 1040 1080">\n'
        '<foreignObject width="1040" height="1080"><body xmlns="http://www.w3.org/1999/xhtml">\n'
        f"{style}\n{body[:end]}</div>\n</body></foreignObject></svg>\n"
    )


if __name__ == "__main__":
    screen, html = screens()
    PICTURE.write_text(drawn(list(lines(screen))))
    PAGE.write_text(framed(html))
