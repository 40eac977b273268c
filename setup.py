"""What pyproject.toml leaves open: which packages there are.

One of them is in another project's package: ``twisted.plugins`` is where Twisted looks for plugins,
and it must hold no ``__init__.py`` of ours.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["zbtwist", "zbtwist.*"]), "twisted.plugins"],
    # It says the default; but when it is said, an editable install puts the whole directory on
    # sys.path, and only there does Twisted find the plugins.
    package_dir={"": "."},
    package_data={"zbtwist": ["py.typed"], "zbtwist.control.web": ["static/*"]},
)
