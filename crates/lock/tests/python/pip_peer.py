"""Prints, for each folder, what pip takes from the options in its `requirements.txt`."""

import json
import optparse
import os
import sys

from pip._internal.index.collector import LinkCollector
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.search_scope import SearchScope
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.network.session import PipSession
from pip._internal.req.req_file import parse_requirements


def answer(folder):
    session = PipSession()
    scope = SearchScope(find_links=[], index_urls=["own"], no_index=False)
    finder = PackageFinder.create(
        link_collector=LinkCollector(session, scope),
        selection_prefs=SelectionPreferences(allow_yanked=True),
    )
    options = optparse.Values({"require_hashes": False, "no_require_hashes": False, "features_enabled": []})
    path = os.path.join(folder, "requirements.txt")
    for _ in parse_requirements(path, session, finder=finder, options=options):
        pass
    hosts = [host if port is None else f"{host}:{port}" for host, port in session.pip_trusted_origins]
    return {
        "index_urls": finder.index_urls,
        "find_links": finder.find_links,
        "no_index": finder.search_scope.no_index,
        "trusted_hosts": hosts,
        "require_hashes": bool(options.require_hashes),
    }


print(json.dumps([answer(folder) for folder in sys.argv[1:]]))
