"""The page's parts: style, tables, numbers as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """
:root{color-scheme:light}
body{font:16px/1.5 system-ui,sans-serif;color:#16202a;background:#fff;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 1rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;border-bottom:1px solid #b9c4cf;padding-bottom:.2rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #dfe5ea;vertical-align:top}
th{font-weight:600;color:#43525f}.facts td:first-child{width:13rem;color:#43525f}
code{font-size:.8rem;overflow-wrap:anywhere}small{color:#43525f}
.warning{background:#fff3d6;border-left:4px solid #b36b00;padding:.5rem .8rem;font-weight:600}
figure{margin:1.2rem 0;max-width:46rem}figcaption,.legend{font-size:.85rem;color:#43525f}
svg{width:100%;height:auto;display:block;font:12px system-ui,sans-serif}
svg text{fill:#43525f}svg .label{fill:#16202a}
.axis{fill:none;stroke:#43525f}.grid{stroke:#e6ebef}
.curve{fill:none;stroke:#0b5394;stroke-width:2}.band{fill:#0b5394;opacity:.18}.unsupported{fill:#8a96a3;opacity:.16}
.point{fill:#b3261e;stroke:#b3261e;stroke-width:1.5}.none{fill:#fff}.whisker{stroke:#16202a;stroke-width:1.5}
.threshold{stroke:#16202a;stroke-width:1.5;stroke-dasharray:5 4}
.mated{fill:#0b5394;opacity:.55}.other{fill:#c2571a;opacity:.55}
.c0{stroke:#0b5394;stroke-width:3}.c1{stroke:#c2571a;stroke-dasharray:8 3}.c2{stroke:#2e7d32;stroke-dasharray:2 3}
.c3{stroke:#7b3fa0;stroke-dasharray:10 3 2 3}.c4{stroke:#5d4037;stroke-dasharray:4 4}
.whole{white-space:nowrap}
.legend span{margin-right:1.4rem;white-space:nowrap}.legend svg{display:inline-block;width:2rem;height:.8rem;margin-right:.4rem}
@media print{body{margin:0;max-width:none;font-size:11pt}figure,tr{break-inside:avoid}h2{break-after:avoid}}
"""


def page(title: str, style: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{style}</style></head><body>{body}</body></html>\n'


def heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "") -> str:
    """Cells are HTML, columns are text."""
    head = f"<thead><tr>{''.join(f'<th>{escape(name)}</th>' for name in columns)}</tr></thead>" if columns else ""
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="{kind}">{head}<tbody>{lines}</tbody></table>'


def figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Class and name of each mark."""
    filled = {"mated", "other"}

    def mark(kind: str) -> str:
        drawn = (
            '<rect width="32" height="12" class="{}"/>' if kind in filled else '<line x2="32" y1="6" y2="6" class="curve {}"/>'
        )
        return f'<svg viewBox="0 0 32 12">{drawn.format(kind)}</svg>'

    spans = "".join(f"<span>{mark(kind)}{escape(name)}</span>" for kind, name in entries)
    return f'<div class="legend">{spans}</div>'


def number(value: int) -> str:
    return f"{value:,}"


def percent(value: float) -> str:
    """Three digits, as small as it may be, kept on one line."""
    share = 100 * value
    return f"{share:.3g}\N{NO-BREAK SPACE}%" if share >= 1e-4 or share == 0 else f"{share:.2e}\N{NO-BREAK SPACE}%"


def interval(bounds: tuple[float, float]) -> str:
    """As HTML."""
    low, high = bounds
    return f'<span class="whole">{percent(low)} … {percent(high)}</span>'
