"""A judge behind a real HTTP endpoint, in the form of OpenAI's chat completions."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ego.config import EgoConfig
from ego.errors import InputError
from ego.evaluation.judge import Judge, judge_answers
from ego.evaluation.manifest import Manifest, OpenSample, Subject
from ego.evaluation.plan import Run
from ego.evaluation.records import Judgement, Lines, Record
from ego.evaluation.report.results import load_results


class Endpoint(BaseHTTPRequestHandler):
    """Finds an answer right if it holds the word grass; answers nonsense to the word nonsense."""

    asked: list[dict] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Endpoint.asked.append({"path": self.path, "key": self.headers["Authorization"], **body})
        given = body["messages"][0]["content"].split("Given answer: ")[1].split("\n")[0]
        verdict = "Hm." if "nonsense" in given else "Yes." if "grass" in given else "No"
        reply = {"choices": [{"message": {"content": verdict}}]} if "broken" not in given else {}
        text = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *parts: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    Endpoint.asked.clear()
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def answered(out: Path, *answers: str) -> Path:
    subject = Subject(key="k", name="Bo", references=("r.png",))
    samples = tuple(
        OpenSample(id=str(n), pictures=(f"{n}.png",), known=("k",), question="Where is <k>?", answer="on the grass")
        for n in range(len(answers))
    )
    Manifest(dataset="d", root=".", subjects=(subject,), samples=samples).save(out / "manifest.json")
    run = Run(dataset="d", model="m", tasks=("open",), methods=("ego",), views=(1,), config=EgoConfig(), versions={})
    (out / "run.json").write_text(run.model_dump_json())
    lines = Lines(out / "records.jsonl", Record)
    for number, text in enumerate(answers):
        lines.append(Record(method="ego", views=1, sample=str(number), text=text, context_tokens=9))
    return out


def test_verdicts_enter_the_report_and_are_asked_for_once(endpoint: str, tmp_path: Path) -> None:
    out = answered(tmp_path, "Bo lies on grass", "at home", "nonsense")
    judge = Judge(endpoint + "/", "judge-1", key="secret")
    judge_answers(out, judge)
    judge_answers(out, judge)
    assert len(Endpoint.asked) == 3
    first = Endpoint.asked[0]
    assert (first["path"], first["key"], first["temperature"]) == ("/v1/chat/completions", "Bearer secret", 0)
    assert "Question: Where is Bo?\nReference answer: on the grass" in first["messages"][0]["content"]
    assert [line.right for line in Lines(out / "judgements.jsonl", Judgement)] == [True, False, None]
    (scores,) = load_results(out).scored["open", "open"].values()
    assert scores["judged_right"].value == 0.5  # what the judge did not decide does not count


def test_a_judge_that_answers_something_else(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no verdict"):
        judge_answers(answered(tmp_path, "broken"), Judge(endpoint, "judge-1"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "localhost:8000"])
def test_a_judge_needs_an_address(url: str) -> None:
    with pytest.raises(InputError, match="give one such as"):
        Judge(url, "m").ask("?")
