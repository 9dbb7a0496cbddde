"""The examples of deployment are made of files and options that there are. No container is built here."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from ego.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUBERNETES = [one for one in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()) if one]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
UNIT = (DEPLOY / "ego.service").read_text()
PAGE = (ROOT / "docs" / "serving.md").read_text()


def options() -> set[str]:
    command: Any = typer.main.get_command(app)
    return {option for parameter in command.commands["serve"].params for option in parameter.opts}


def arguments() -> dict[str, list[str]]:
    """Everything that the examples hand to `ego serve`."""
    (ego,) = (one for one in KUBERNETES if one["kind"] == "Deployment")
    return {
        "Dockerfile": re.findall(r'"([^"]+)"', DOCKERFILE.split("ENTRYPOINT")[1]),
        "compose.yaml": COMPOSE["services"]["ego-gpu"]["command"],
        "kubernetes.yaml": ego["spec"]["template"]["spec"]["containers"][0]["args"],
        "ego.service": shlex.split(" ".join(re.findall(r"ExecStart=(.*)", UNIT))),
        "serving.md": shlex.split(" ".join(re.findall(r"^ego serve ([^#\n]*)", PAGE, re.MULTILINE))),
    }


@pytest.mark.parametrize("file", arguments())
def test_every_option_is_one_of_the_command(file: str) -> None:
    given = [word.partition("=")[0] for word in arguments()[file] if word.startswith("--")]
    assert given
    assert set(given) <= options()


def test_the_image_holds_all_that_the_package_is_built_of() -> None:
    copied = {word for line in re.findall(r"^COPY (.*)", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]}
    assert all((ROOT / path).exists() for path in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"], "pyproject.toml", "src"} <= copied
    assert "server" in project["optional-dependencies"]


def test_both_engines_are_given_the_same_model_and_vllm_what_the_probe_asks_for() -> None:
    gpu, vllm = COMPOSE["services"]["ego-gpu"]["command"], shlex.split(COMPOSE["services"]["vllm"]["command"])
    assert gpu[gpu.index("--model") + 1] == vllm[vllm.index("--model") + 1]
    (ego,) = (one for one in KUBERNETES if one["kind"] == "Deployment")
    (replicas,) = (one for one in KUBERNETES if one["kind"] == "StatefulSet")
    mine, theirs = (one["spec"]["template"]["spec"]["containers"][0]["args"] for one in (ego, replicas))
    assert {word for word in mine if word.startswith("--model=")} == {
        word for word in theirs if word.startswith("--model=")
    }
    assert len([word for word in mine if word.startswith("--vllm=")]) == replicas["spec"]["replicas"]
    for words in (vllm, theirs):
        assert {"--enable-prompt-embeds", "--enable-prefix-caching", "--enable-prompt-tokens-details"} <= set(words)


def test_what_is_mounted_is_declared() -> None:
    for one in KUBERNETES:
        if one["kind"] not in ("Deployment", "StatefulSet"):
            continue
        pod = one["spec"]["template"]["spec"]
        claims = {claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", ())}
        declared = {volume["name"] for volume in pod["volumes"]} | claims
        assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == declared
    for service in COMPOSE["services"].values():
        assert {volume.split(":")[0] for volume in service["volumes"]} <= set(COMPOSE["volumes"])
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
