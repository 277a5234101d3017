"""Reads the OpenAPI documents and the metrics of a running lab as foreign programs do, and calls what the documents describe.

Usage: peer.py RAMZ. The last line is `N passed, M failed`.
"""

import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

# Seconds for each service: all of it stays well below two minutes.
SECONDS = 12
# What an answer must be. Not asked for: that whatever fits the schema is accepted, for a check digit is in no schema.
CHECKS = ",".join([
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
])

passed = failed = 0


def told(what, why=None):
    global passed, failed
    if why is None:
        passed += 1
        print(f"ok    {what}", flush=True)
    else:
        failed += 1
        print(f"FAIL  {what}: {why}", flush=True)


def tried(what, act):
    """Runs one check; whatever it raises is its failure."""
    try:
        act()
    except Exception as error:  # noqa: BLE001: a peer reports, it does not judge
        told(what, f"{type(error).__name__}: {str(error)[:2000]}")
    else:
        told(what)


class Service:
    """One door with a document."""

    def __init__(self, name, url, certificate=None, authorization=None):
        self.name, self.url, self.certificate, self.authorization = name, url, certificate, authorization

    def get(self, path):
        context = None
        if self.certificate:
            ca, cert, key = self.certificate
            context = ssl.create_default_context(cafile=ca)
            context.load_cert_chain(cert, key)
        with urllib.request.urlopen(self.url + path, context=context, timeout=15) as answer:
            return answer.headers.get_content_type(), answer.read().decode()


def lint(document):
    """What the specification leaves to taste, and a reader misses."""
    seen = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method not in ("get", "put", "post", "delete", "patch"):
                continue
            at = f"{method.upper()} {path}"
            assert operation.get("operationId") and operation["operationId"] not in seen, f"{at}: operationId"
            seen.add(operation["operationId"])
            assert operation.get("summary"), f"{at}: summary"
            assert any(status.startswith("2") for status in operation["responses"]), f"{at}: no good answer"
            for status, answer in operation["responses"].items():
                assert answer.get("description"), f"{at} {status}: description"
                for media, content in answer.get("content", {}).items():
                    problem = media == "application/problem+json"
                    assert problem == (int(status) >= 400), f"{at} {status}: {media}"
                    examples(document, content, f"{at} {status}")
            for content in operation.get("requestBody", {}).get("content", {}).values():
                assert "example" in content or "examples" in content, f"{at}: no example of the body"
                examples(document, content, f"{at} body")


def examples(document, content, at):
    """Every example is of its schema."""
    schema = {**content["schema"], "components": document["components"]}
    given = [content["example"]] if "example" in content else []
    given += [example["value"] for example in content.get("examples", {}).values()]
    for example in given:
        errors = [error.message for error in Draft202012Validator(schema).iter_errors(example)]
        assert not errors, f"{at}: {errors}"


def schemathesis(service, document, folder):
    """Calls what the document describes, with what fits and with what does not."""
    file = folder / f"{service.name.replace(' ', '-')}.json"
    file.write_text(json.dumps(document))
    command = [
        pathlib.Path(sys.executable).parent / "st", "run", file, "--url", service.url, "--checks", CHECKS,
        "--phases", "examples,coverage,fuzzing", "--max-time", str(SECONDS), "--seed", "1",
        "--continue-on-failure", "--warnings", "off", "--no-color", "--request-timeout", "15",
    ]
    if service.certificate:
        ca, cert, key = service.certificate
        command += ["--tls-verify", ca, "--request-cert", cert, "--request-cert-key", key]
    if service.authorization:
        command += ["--header", f"Authorization: {service.authorization}"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS * 10, check=False)
    lines = [line for line in said.stdout.splitlines() if line.strip()]
    print("\n".join(f"      {line}" for line in lines[-4:]), flush=True)
    assert said.returncode == 0, "\n" + (said.stdout + said.stderr)[-6000:]


def metrics(name, url):
    with urllib.request.urlopen(url + "/metrics", timeout=15) as answer:
        kind, text = answer.headers["content-type"], answer.read().decode()
    assert kind.startswith("text/plain; version=0.0.4"), kind
    families = list(text_string_to_metric_families(text))
    assert len(families) >= 5, f"{name} has {len(families)} metrics"
    for family in families:
        assert family.documentation and family.type != "unknown", family.name
        if family.type != "histogram":
            continue
        # Cumulative, and the count is the last bucket.
        last, of = 0, None
        for sample in family.samples:
            labels = {key: value for key, value in sample.labels.items() if key != "le"}
            if sample.name.endswith("_bucket"):
                last, of = (sample.value if labels != of or sample.value >= last else None), labels
                assert last is not None, f"{family.name} falls"
            if sample.name.endswith("_count"):
                assert sample.value == last, f"{family.name}: {sample.value} is not {last}"


def free_port():
    """The first of sixty that nobody uses: a lab takes as many."""
    for first in range(20_000 + os.getpid() % 200 * 60, 32_000, 60):
        sockets = []
        try:
            for port in range(first, first + 60):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise SystemExit("no sixty free ports")


def main(ramz):
    with tempfile.TemporaryDirectory() as folder:
        folder, port = pathlib.Path(folder), free_port()
        data = folder / "data"
        command = [ramz, "lab", "--data", data, "--port", str(port), "--no-open"]
        with open(folder / "lab.log", "w", encoding="utf-8") as log:
            lab = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            ready = lab.stdout.readline()
            if not ready.startswith("lab ready"):
                raise SystemExit(f"the lab does not start: {ready}{(folder / 'lab.log').read_text()}")
            look(json.load(urllib.request.urlopen(f"http://localhost:{port}/lab.json")), data, port, folder)
        finally:
            lab.terminate()
            lab.wait(timeout=30)
        log = (folder / "lab.log").read_text()
        tried("no role panicked or failed", lambda: panics(log))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def panics(log):
    for line in log.splitlines():
        assert "panicked" not in line and '"level":"ERROR"' not in line, line


def look(lab, data, port, folder):
    bank, tls = lab["banks"][0], lab["tls"]
    asker = (tls["ca"], tls["cert"], tls["key"])
    operator = (tls["ca"], str(data / "operator.lab.pem"), str(data / "operator.lab.key"))
    services = [
        Service("router", lab["router"]["url"], asker),
        Service("issuer", bank["api"], asker),
        Service("back office", bank["admin"], operator),
        # Nothing here signs its requests: what is not proved must be told so, and what needs no proof answers.
        Service("app", bank["app"]),
        Service("gateway", lab["gateway"]["url"], authorization=f"Bearer {lab['gateway']['api_key']}"),
    ]
    for service in services:
        document = {}

        def fetch():
            media, text = service.get("/v1/openapi.json")
            assert media == "application/json", media
            document.update(json.loads(text))

        tried(f"{service.name} serves its document", fetch)
        tried(f"{service.name}: the document is OpenAPI", lambda: validate(document))
        tried(f"{service.name}: the document says enough, its examples fit", lambda: lint(document))
        tried(f"{service.name} answers as its document says", lambda: schemathesis(service, document, folder))
    for name, at in [("router", 19), ("issuer", 29), ("gateway", 9)]:
        tried(f"{name}: Prometheus reads its metrics", lambda: metrics(name, f"http://localhost:{port + at}"))


if __name__ == "__main__":
    main(sys.argv[1])
