"""The CDNOW job with data, work and results on Azure's blob store, and through a coordinator and a worker, compared byte for byte with
a run on local files.

    npm install azurite && pip install azure-storage-blob
    cargo build --release
    python3 tests/stores/azurite.py [--azurite node_modules/.bin/azurite-blob] [--binary target/release/segmenta]

Azurite is Microsoft's own emulator of the store; what it does on conditions (create if absent) and copies is what the store does.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import time

from azure.storage.blob import BlobServiceClient

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# The account that every Azurite has, as its documentation prints it.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "lake"


def checksums(manifest: dict, read) -> dict[str, str]:
    tables = [entry["path"] for entry in manifest["outputs"] if entry["rows"] is not None]
    return {path: hashlib.sha256(read(path)).hexdigest() for path in tables}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--azurite", default="node_modules/.bin/azurite-blob")
    parser.add_argument("--binary", default=str(ROOT / "target/release/segmenta"))
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="segmenta-azure-"))
    environment = {**os.environ, "AZURE_STORAGE_USE_EMULATOR": "true"}
    with contextlib.ExitStack() as processes:

        def start(*command: str) -> None:
            log = processes.enter_context(open(folder / f"{pathlib.Path(command[0]).name}.log", "a"))
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            processes.callback(process.wait)
            processes.callback(process.kill)

        start(options.azurite, "--inMemoryPersistence", "--silent", "--skipApiVersionCheck")
        connection = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/{ACCOUNT};"
        client = BlobServiceClient.from_connection_string(connection)
        for attempt in range(100):
            try:
                container = client.create_container(CONTAINER)
                break
            except Exception:
                if attempt == 99:
                    raise
                time.sleep(0.2)
        for shard in sorted((ROOT / "examples/data/cdnow").glob("*.parquet")):
            container.upload_blob(f"cdnow/{shard.name}", shard.read_bytes())

        def spec(name: str, data: str, output: str) -> str:
            text = (ROOT / "examples/cdnow.yaml").read_text()
            path = folder / f"{name}.yaml"
            path.write_text(text.replace("data/cdnow", data).replace("../runs/cdnow", output))
            return str(path)

        def run(name: str, data: str, output: str, *more: str) -> None:
            subprocess.run([options.binary, "run", spec(name, data, output), *more], env=environment, check=True, capture_output=True)

        run("local", str(ROOT / "examples/data/cdnow"), str(folder / "local"))
        expected = checksums(json.loads((folder / "local/manifest.json").read_text()), lambda path: (folder / "local" / path).read_bytes())
        run("alone", f"az://{CONTAINER}/cdnow", f"az://{CONTAINER}/alone")
        ports = ["--listen", "127.0.0.1:27150", "--scheduler-listen", "127.0.0.1:27160"]
        start(options.binary, "coordinator", *ports, "--state", f"az://{CONTAINER}/state", "--allow", f"az://{CONTAINER}/")
        start(options.binary, "worker", "--scheduler", "127.0.0.1:27160", "--flight-port", "27161", "--task-port", "27162")
        for attempt in range(50):
            with contextlib.suppress(subprocess.CalledProcessError):
                run("cluster", f"az://{CONTAINER}/cdnow", f"az://{CONTAINER}/cluster", "--coordinator", "http://127.0.0.1:27150")
                break
            time.sleep(0.5)
        for name in ("alone", "cluster"):
            read = lambda path: container.download_blob(f"{name}/{path}").readall()
            same = checksums(json.loads(read("manifest.json")), read) == expected
            print(f"{name}: {'the same bytes' if same else 'OTHER BYTES'} ({len(expected)} tables)")


if __name__ == "__main__":
    main()
