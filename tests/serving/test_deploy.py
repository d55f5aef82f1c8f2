"""Files of operations: what they name is there, and they agree with each other, the command and the application."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import plait
from plait.serving.app import create_app
from plait.serving.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PORT = "8000"


@pytest.fixture(scope="module")
def options() -> frozenset[str]:
    """The options of ``plait serve``, as its help tells them."""
    told = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "plait", "serve", "--help"]
    said = subprocess.run(command, env=told, capture_output=True, text=True, check=True).stdout
    return frozenset(re.findall(r"--[a-z][a-z-]+", said))


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Instructions and what they are given, lines joined."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


@pytest.fixture(scope="module")
def manifests() -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))}


@pytest.fixture(scope="module")
def container(manifests: Mapping[str, Any]) -> Any:
    (made,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    return made


def named(arguments: Sequence[str]) -> set[str]:
    return {argument for argument in arguments if argument.startswith("--")}


def listed(told: str) -> list[str]:
    return list(yaml.safe_load(told))


def test_the_image_is_made_of_what_is_there(dockerfile: list[tuple[str, str]]) -> None:
    copied = [told.split() for word, told in dockerfile if word == "COPY"]
    sources = [name for words in copied if not words[0].startswith("--from=") for name in words[:-1]]
    assert {"src", "pyproject.toml", "constraints.txt"} <= set(sources)
    assert all((ROOT / name).exists() for name in sources)
    installed = [told for word, told in dockerfile if word == "RUN" and "pip install" in told]
    assert all("PIP_CONSTRAINT=/build/constraints.txt" in told and "[serve]" in told for told in installed)


def test_the_image_does_not_run_as_root(dockerfile: list[tuple[str, str]]) -> None:
    last = {word: i for i, (word, _) in enumerate(dockerfile)}
    user = dockerfile[last["USER"]][1]
    assert user.split(":")[0] not in ("0", "root")
    assert last["USER"] < last["CMD"]
    assert last["RUN"] < last["USER"]


def test_the_image_runs_what_the_command_knows(dockerfile: list[tuple[str, str]], options: frozenset[str]) -> None:
    told = dict(dockerfile)
    command = listed(told["ENTRYPOINT"]) + listed(told["CMD"])
    assert command[:2] == ["plait", "serve"]
    assert named(command) <= options
    assert told["EXPOSE"] == PORT == command[command.index("--port") + 1]
    assert f"127.0.0.1:{PORT}/healthz" in told["HEALTHCHECK"]


def test_the_pods_agree_with_the_application(
    manifests: Mapping[str, Any], container: Any, options: frozenset[str], loans_model: Path
) -> None:
    assert container["args"][0] == "serve"
    assert named(container["args"]) <= options
    (port,) = container["ports"]
    assert str(port["containerPort"]) == PORT == container["args"][container["args"].index("--port") + 1]
    paths = {route.path for route in create_app(Settings(loans_model)).routes if hasattr(route, "path")}
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")]
    assert [probe["path"] for probe in probes] == ["/readyz", "/readyz", "/healthz"]
    assert all(probe["path"] in paths and probe["port"] == port["name"] for probe in probes)
    notes = manifests["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert notes["prometheus.io/path"] in paths
    assert notes["prometheus.io/port"] == PORT
    (out,) = manifests["Service"]["spec"]["ports"]
    assert out["targetPort"] == port["name"]


def test_the_manifests_agree_with_each_other(manifests: Mapping[str, Any], container: Any) -> None:
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert manifests["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    volumes = {each["name"]: each for each in manifests["Deployment"]["spec"]["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    claim = volumes["models"]["persistentVolumeClaim"]["claimName"]
    assert claim == manifests["PersistentVolumeClaim"]["metadata"]["name"]
    assert container["image"].endswith(f":{plait.__version__}")


def test_the_pods_hold_no_secret_and_are_given_time(manifests: Mapping[str, Any], container: Any) -> None:
    spec = manifests["Deployment"]["spec"]["template"]["spec"]
    defaults = Settings("loans.plait")
    assert spec["terminationGracePeriodSeconds"] > defaults.timeout_s + defaults.body_s + 5
    assert all("valueFrom" in each for each in container["env"])
    assert not [word for word in container["args"] if re.search(r"://[^/@]*:[^/@]*@", word)]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert spec["securityContext"]["runAsNonRoot"]


def test_the_unit_runs_what_the_command_knows(options: frozenset[str]) -> None:
    text = (DEPLOY / "plait.service").read_text("utf-8").replace("\\\n", " ")
    commands = [shlex.split(line.partition("=")[2]) for line in text.splitlines() if line.startswith("ExecStart")]
    assert len(commands) == 2
    for command in commands:
        assert command[1] == "serve"
        assert named(command) <= options
    assert "NoNewPrivileges=yes" in text
    assert "ProtectSystem=strict" in text


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not on this machine")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "plait.service").read_text("utf-8").replace("/opt/plait/bin/plait", sys.executable)
    (tmp_path / "plait.service").write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "plait.service")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "plait.service" not in said.stderr, said.stderr
    assert said.returncode == 0
