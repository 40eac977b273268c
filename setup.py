"""What pyproject.toml leaves open: which packages there are, and the page on a package index.

One of the packages is in another project's: ``twisted.plugins`` is where Twisted looks for plugins,
and it must hold no ``__init__.py`` of ours.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

#: Where the files of the project are on the web, with a slash at the end; empty as long as they are
#: nowhere.
URL = ""


def long_description():
    """Return README.rst for a page that the other files are not beside: its links lead to `URL`, or
    are plain words.
    """
    text = (Path(__file__).parent / "README.rst").read_text(encoding="utf-8")
    link = re.compile(r"`([^`<]+?)(\s+)<(?!https?:)([^>]+)>`_")
    image = re.compile(r"^\.\. image:: (\S+)\n(?: +.*\n)*\n", re.MULTILINE)
    if URL:
        text = link.sub(rf"`\1\2<{URL}\3>`_", text)
        return image.sub(lambda found: found[0].replace(found[1], URL + found[1], 1), text)
    return image.sub("", link.sub(r"\1", text))


setup(
    packages=[
        *find_packages(include=["zbtwist", "zbtwist.*"]),
        # The files of the console; to setuptools a folder of data is a package.
        "zbtwist.control.web.static",
        "twisted.plugins",
    ],
    # It says the default; but when it is said, an editable install puts the whole directory on
    # sys.path, and only there does Twisted find the plugins.
    package_dir={"": "."},
    package_data={"zbtwist": ["py.typed"], "zbtwist.control.web.static": ["*"]},
    long_description=long_description(),
    long_description_content_type="text/x-rst",
)
