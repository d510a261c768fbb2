"""Write a software bill of materials: CycloneDX 1.5 of the package and what it is installed with.

What is listed is what the metadata of installed packages say: those that the package and its extras
for the window and for clusters need here, and what these need. Of the model weights that come with
the package there is the SHA-256. Libraries inside of wheels are not looked for.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

NAME, EXTRAS = "napari-copnet", ("", "gui", "distributed")
PACKAGE = Path(__file__).parents[1] / "src" / "napari_copnet"


def bill() -> dict[str, Any]:
    """Return the bill of materials of what is installed here."""
    found: dict[str, importlib.metadata.Distribution] = {}
    needs: dict[str, set[str]] = {}
    left = [(NAME, extra) for extra in EXTRAS]
    seen = set(left)
    while left:
        name, extra = left.pop()
        try:
            found[name] = found.get(name) or importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        needed = needs.setdefault(name, set())
        for text in found[name].requires or ():
            one = Requirement(text)
            if one.marker is not None and not one.marker.evaluate({"extra": extra}):
                continue
            other = canonical(one.name)
            needed.add(other)
            for asked in ((other, ""), *((other, e) for e in one.extras)):
                if asked not in seen:
                    seen.add(asked)
                    left.append(asked)
    refs = {name: f"pkg:pypi/{name}@{one.version}" for name, one in found.items()}
    models = sorted((PACKAGE / "networks" / "shipped").rglob("*.safetensors"))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "component": described(NAME, found[NAME], refs[NAME], "application"),
        },
        "components": [
            *(described(n, found[n], refs[n], "library") for n in sorted(found) if n != NAME),
            *(weights(path) for path in models),
        ],
        "dependencies": [
            {"ref": refs[name], "dependsOn": sorted(refs[n] for n in needs[name] if n in refs)}
            for name in sorted(found)
        ],
    }


def canonical(name: str) -> str:
    """Return the name that the Python Package Index knows a package by."""
    return re.sub(r"[-_.]+", "-", name).lower()


def described(
    name: str, one: importlib.metadata.Distribution, ref: str, kind: str
) -> dict[str, Any]:
    """Return the component of an installed package."""
    about = {"type": kind, "bom-ref": ref, "name": name, "version": one.version, "purl": ref}
    expression, text = (one.metadata.get(n) for n in ("License-Expression", "License"))
    named = [c.split(" :: ")[-1] for c in one.metadata.get_all("Classifier", []) if "License" in c]
    if expression:
        return about | {"licenses": [{"expression": expression}]}
    # Some packages have the whole text there.
    names = named or ([text] if text and len(text) < 80 else [])
    return about | ({"licenses": [{"license": {"name": n}} for n in names]} if names else {})


def weights(path: Path) -> dict[str, Any]:
    """Return the component of the weights of a shipped network."""
    name = path.relative_to(PACKAGE).as_posix()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "type": "machine-learning-model",
        "bom-ref": f"file:{name}",
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    made = bill()
    out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(f"{len(made['components'])} components: {out}")
