"""What the HTML pages have in common: each is one file that needs no other and no network."""
from html import escape
from typing import Iterable, Sequence

STYLE = '''
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse; margin: .6rem 0 } caption { text-align: left; color: #555 }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } thead th { border-bottom: 2px solid #999 }
svg, img { max-width: 100%; height: auto; display: block } figure { margin: 1rem 0 } figcaption, .note { color: #555 }
.wide { overflow-x: auto }
'''


# What a browser is to hold the page to.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html_page(title: str, parts: Iterable[str], style: str = '', script: str = '') -> str:
    """A whole page.

    Args:
        title (str): Its title and first heading.
        parts (Iterable[str]): HTML of its parts; empty ones are left out.
        style (str): More CSS. Defaults to none.
        script (str): JavaScript, run at the end. Defaults to none.

    Returns:
        str: HTML.
    """
    policy = _POLICY + ("; script-src 'unsafe-inline'" if script else '')
    last = f'<script>{script}</script>' if script else ''
    body = '\n'.join(filter(None, [f'<h1>{escape(title)}</h1>', *parts, last]))
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<style>{STYLE}{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n')


def html_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = (),
               head: bool = True) -> str:
    """A table; all cells are texts.

    Args:
        caption (str): Above it; '' for none.
        heads (Sequence[str]): Names of the columns.
        rows (Iterable[Sequence[str]]): Its rows.
        numbers (Iterable[int]): Columns that are set flush right. Defaults to none.
        head (bool): Whether the names are shown. Defaults to True.
    """
    right = set(numbers)

    def cells(tag: str, row: Sequence[str]) -> str:
        return ''.join(f'<{tag} class="n">{escape(cell)}</{tag}>' if i in right else f'<{tag}>{escape(cell)}</{tag}>'
                       for i, cell in enumerate(row))

    lines = [f'<caption>{escape(caption)}</caption>'] if caption else []
    lines += [f'<thead><tr>{cells("th", heads)}</tr></thead>'] if head else []
    lines += ['<tbody>', *(f'<tr>{cells("td", row)}</tr>' for row in rows), '</tbody>']
    return '<div class="wide"><table>\n' + '\n'.join(lines) + '\n</table></div>'
