"""What the packaging library says: reads one JSON question from standard input, writes one JSON answer."""

import json
import sys

from packaging import _manylinux, _musllinux, markers, tags, utils, version


def platforms(machine, libc, major, minor):
    _manylinux._have_compatible_abi = lambda executable, archs: libc == "glibc"
    _manylinux._get_glibc_version = lambda: (major, minor)
    musl = _musllinux._MuslVersion(major, minor) if libc == "musl" else None
    _musllinux._get_musl_version = lambda executable: musl
    tags.sysconfig.get_platform = lambda: f"linux-{machine}"
    return list(tags._linux_platforms(is_32bit=False))


def supported(target):
    python = (3, target["minor"])
    on = platforms(target["machine"], *target["libc"])
    yield from tags.cpython_tags(python, [f"cp3{python[1]}"], on)
    yield from tags.compatible_tags(python, f"cp3{python[1]}", on)


def best(names, rank):
    def key(name):
        _, _, build, own = utils.parse_wheel_filename(name)
        ranks = [rank[tag] for tag in own if tag in rank]
        return (min(ranks), [-build[0], build[1]] if build else [0, ""]) if ranks else None

    ranked = [(key(name), at) for at, name in enumerate(names) if key(name)]
    return names[min(ranked)[1]] if ranked else None


def wheels(question):
    answer = []
    for target in question["targets"]:
        ordered = [str(tag) for tag in supported(target)]
        rank = {tag: at for at, tag in enumerate(supported(target))}
        answer.append({"tags": ordered, "best": [best(names, rank) for names in question["groups"]]})
    return answer


def versions(texts):
    parsed = []
    for text in texts:
        try:
            parsed.append(str(version.Version(text)))
        except version.InvalidVersion:
            parsed.append(None)
    valid = sorted({text for text in parsed if text}, key=version.Version)
    return {"parsed": parsed, "sorted": valid}


def holds(question):
    texts, python, machine = question["texts"], question["python"], question["machine"]
    environment = markers.default_environment()
    environment |= {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
    environment |= {"platform_machine": machine, "platform_python_implementation": "CPython"}
    environment |= {"implementation_name": "cpython", "implementation_version": python}
    environment |= {"python_full_version": python, "python_version": ".".join(python.split(".")[:2])}
    environment |= {"platform_release": "", "platform_version": "", "extra": question["extra"]}
    answers = []
    for text in texts:
        try:
            answers.append(markers.Marker(text).evaluate(environment))
        except markers.InvalidMarker:
            answers.append(None)
        except markers.UndefinedComparison:
            answers.append("undefined")
    return answers


question = json.load(sys.stdin)
json.dump({"wheels": wheels, "versions": versions, "markers": holds}[sys.argv[1]](question), sys.stdout)
