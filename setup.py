"""What pyproject.toml cannot say: the C extension and the abi3 tag."""

import sysconfig

from setuptools import setup

# Free-threaded CPython has no stable ABI yet and gets a wheel of its own.
_abi3 = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    cffi_modules=["pyssl/_build.py:make_builder"],
    options={"bdist_wheel": {"py_limited_api": "cp39"}} if _abi3 else {},
)
