"""The documentation: `sphinx-build -W -b html docs docs/_build/html`."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from sphinx.errors import ConfigError

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS / "_ext")]

# The pages show objects of every package and run every kind of search.
_NEEDED = {
    "furo": "furo",
    "myst_nb": "myst-nb",
    "sphinx_design": "sphinx-design",
    "torch": "torch",
    "torchvision": "torchvision",
    "sklearn": "scikit-learn",
    "optuna": "optuna",
    "matplotlib": "matplotlib",
    "PIL": "pillow",
    "pytest": "pytest",
}
_missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
if _missing:
    raise ConfigError(f"the documentation needs {', '.join(_missing)}; try: pip install '.[docs]'")

import nasbench  # noqa: E402, only after the path is set

project = "nas-toolkit"
copyright = "the authors of nas-toolkit, MIT"
version = release = nasbench.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_design", "toolkit"]
exclude_patterns = ["_build", "_ext", "_static"]
default_role = "code"  # docstrings write names in single backticks
show_warning_types = True

# Pages
myst_enable_extensions = ["colon_fence", "deflist"]
smartquotes = False  # --option stays as it is
myst_fence_as_directive = ["mermaid"]  # as GitHub shows it
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]

# Tutorials are run once, and again only when a cell changes.
nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS / "_build" / "jupyter")
nb_execution_timeout = 170
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_output_stderr = "show"  # notes and warnings of commands
os.environ |= {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    "PYTHONPATH": str(ROOT),
    "NASBENCH_HOME": str(DOCS / "_build" / "home"),  # away from your own tables
    "COLUMNS": "88",
    "OMP_NUM_THREADS": "1",  # the same outputs on every machine
    "IPYTHONDIR": str(DOCS / "_build" / "ipython"),
}
_startup = DOCS / "_build" / "ipython" / "profile_default" / "startup"
_startup.mkdir(parents=True, exist_ok=True)
shutil.copy(DOCS / "_ext" / "cells.py", _startup)

# The reference
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

# HTML
html_theme = "furo"
html_title = "nas-toolkit"
html_static_path = ["_static"]
html_css_files = ["toolkit.css"]
html_copy_source = False

# `sphinx-build -b linkcheck docs docs/_build/linkcheck` needs the network.
linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_anchors = False
