"""A page as HTML: shared styles and scripts, the page's own, and its data, under a strict policy."""

import base64
import hashlib
import json
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template

from nasbench import __version__
from nasbench.runs.files import utc_now

_SHARED = ("elements", "numbers", "scale", "diagram")


def generator(kind: str) -> str:
    """Return the element that says which command wrote a page."""
    return f'<meta name="generator" content="nas-toolkit {kind}">'


@dataclass(frozen=True)
class Page:
    """A page; `head` and `body` are HTML, `title` and `without_script` are text."""

    #: such as `report`; a command overwrites pages of its own kind only
    kind: str
    title: str
    head: str
    body: str
    #: what a reader without JavaScript is told
    without_script: str
    #: the package whose folder `page` has the styles and the scripts
    package: str
    #: names of the package's scripts, in the order in which they run
    scripts: tuple[str, ...]
    #: what the scripts read, as plain values
    data: object

    def html(self) -> str:
        """Return the text of the file. Strings of the data stay text, whatever they hold."""
        own = files(self.package) / "page"
        shared = files("nasbench.pages") / "parts"
        paths = [*(shared / f"{name}.js" for name in _SHARED), *(own / f"{name}.js" for name in self.scripts)]
        script = "\n".join(path.read_text(encoding="utf-8") for path in paths)
        digest = base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode()
        styles = (shared / "base.css", own / "style.css")
        return Template((shared / "page.html").read_text(encoding="utf-8")).substitute(
            generator=generator(self.kind),
            title=escape(self.title),
            digest=digest,
            style="\n".join(path.read_text(encoding="utf-8") for path in styles),
            head=self.head,
            without_script=escape(self.without_script),
            body=self.body,
            foot=f"Made by nas-toolkit {escape(__version__)}, {utc_now()[:10]}.",
            data=_embedded(self.data),
            script=f"\n{script}",
        )


def _embedded(data: object) -> str:
    """Return JSON that may stand in a script element: nothing in it can end the element or begin another."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
