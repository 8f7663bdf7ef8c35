"""Measures TLS packages on the same work in one run: python -m pyssl.bench.

`peers` holds one small adapter a package, `scenarios` the work, `rounds` the
order in which it is done, `stats` what is made of the numbers, `report` how
they are shown, and `pki` the certificates. `load` is a tool of its own, load
on a real server from many machines, and `serve` a server to try it on.
"""
