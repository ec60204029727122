"""Files that pages are written to."""

import pytest

from nasbench.pages.output import check, write


def test_without_the_right_to_write(unprivileged):
    def refuses(folder):
        folder.chmod(0o500)
        with pytest.raises(ValueError, match="--out cannot write .*Permission denied"):
            write(folder / "report.html", b"")
        folder.chmod(0o700)
        (folder / "report.html").write_text("secret")
        (folder / "report.html").chmod(0)
        with pytest.raises(ValueError, match="--out cannot write .*Permission denied"):
            check(folder / "report.html", "report")

    unprivileged(refuses)
