"""Pages as HTML: shared and own styles and scripts, data, and a strict content security policy."""

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
    """Return the HTML element that identifies the kind of a page."""
    return f'<meta name="generator" content="nas-toolkit {kind}">'


@dataclass(frozen=True)
class Page:
    """A self-contained HTML page."""

    #: kind of the page, such as `report`; a command only overwrites pages of its own kind
    kind: str
    #: title, as text
    title: str
    #: content above the body, as HTML
    head: str
    #: main content, as HTML
    body: str
    #: message for readers without JavaScript, as text
    without_script: str
    #: package whose folder `page` has the styles and scripts
    package: str
    #: names of the package's scripts, in order of execution
    scripts: tuple[str, ...]
    #: data for the scripts, as plain values
    data: object

    def html(self) -> str:
        """Return the text of the file; strings in the data are never interpreted as HTML."""
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
    """Return JSON that is safe in a script element: it cannot close the element or open another."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
