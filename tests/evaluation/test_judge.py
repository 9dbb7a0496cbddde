"""A judge behind a real HTTP endpoint, in the form of OpenAI's chat completions."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ego.config import EgoConfig
from ego.errors import ConfigError, DatasetError, InputError
from ego.evaluation.judge import Judge, judge_answers
from ego.evaluation.manifest import Manifest, OpenSample, Subject
from ego.evaluation.plan import Run
from ego.evaluation.records import Judgement, Lines, Record
from ego.evaluation.report.render import facts
from ego.evaluation.report.results import Results, load_results


class Endpoint(BaseHTTPRequestHandler):
    """Finds an answer right if it holds the word grass; answers nonsense to the word nonsense."""

    asked: list[dict] = []  # noqa: RUF012
    clear = False  # whether nonsense has become readable

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Endpoint.asked.append({"path": self.path, "key": self.headers["Authorization"], **body})
        given = body["messages"][0]["content"].split("Given answer: ")[1].split("\n")[0]
        unreadable = "nonsense" in given and not Endpoint.clear
        verdict = "Hm." if unreadable else "Yes." if "grass" in given else "No"
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
    Endpoint.clear = False
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
    asked = {"tasks": ("open",), "methods": ("ego",), "views": (1,)}
    run = Run(dataset="d", manifest="0", model="m", layers=(1,), config=EgoConfig(), versions={}, **asked)
    (out / "run.json").write_text(run.model_dump_json())
    lines = Lines(out / "records.jsonl", Record)
    for number, text in enumerate(answers):
        lines.append(Record(method="ego", views=1, sample=str(number), text=text, context_tokens=9))
    return out


def judged_right(results: Results) -> float:
    (scores,) = results.scored["open", "open"].values()
    return scores["judged_right"].value


def put_verdicts(out: Path, *verdicts: dict[str, object]) -> None:
    (out / "judgements.jsonl").write_text("".join(json.dumps(verdict) + "\n" for verdict in verdicts))


def test_verdicts_enter_the_report_and_are_asked_for_once(endpoint: str, tmp_path: Path) -> None:
    out = answered(tmp_path, "Bo lies on grass", "at home")
    judge = Judge(endpoint + "/", "judge-1", key="secret")
    judge_answers(out, judge)
    judge_answers(out, judge)
    assert len(Endpoint.asked) == 2
    first = Endpoint.asked[0]
    assert (first["path"], first["key"], first["temperature"]) == ("/v1/chat/completions", "Bearer secret", 0)
    assert "Question: Where is Bo?\nReference answer: on the grass" in first["messages"][0]["content"]
    assert [line.right for line in Lines(out / "judgements.jsonl", Judgement)] == [True, False]
    assert judged_right(load_results(out)) == 0.5
    assert "open answers judged by judge-1; 0 unreadable, counted as wrong until judged again" in facts(
        load_results(out)
    )


def test_an_unreadable_verdict_counts_as_wrong_until_it_is_asked_for_again(endpoint: str, tmp_path: Path) -> None:
    out, judge = answered(tmp_path, "Bo lies on grass", "nonsense on grass"), Judge(endpoint, "judge-1")
    judge_answers(out, judge)
    assert judged_right(load_results(out)) == 0.5
    assert any("judge-1; 1 unreadable" in fact for fact in facts(load_results(out)))
    Endpoint.clear = True
    judge_answers(out, judge)
    assert len(Endpoint.asked) == 3  # only the unreadable one again
    assert judged_right(load_results(out)) == 1.0
    assert any("judge-1; 0 unreadable" in fact for fact in facts(load_results(out)))


def test_judges_are_kept_apart(endpoint: str, tmp_path: Path) -> None:
    """A second judge is stopped half-way: it finds the first answer wrong and has not seen the second."""
    out = answered(tmp_path, "Bo lies on grass", "at home")
    judge_answers(out, Judge(endpoint, "judge-1"))
    Lines(out / "judgements.jsonl", Judgement).append(Judgement(of="ego/1/0/given", judge="judge-2", right=False))
    assert judged_right(load_results(out, judge="judge-1")) == 0.5
    second = load_results(out, judge="judge-2")
    assert judged_right(second) == 0
    assert any("UNFINISHED: judge-2 has not judged 1 open answers" in fact for fact in facts(second))
    assert not any("has not judged" in fact for fact in facts(load_results(out, judge="judge-1")))
    with pytest.raises(ConfigError, match="verdicts of judge-1, judge-2; choose one by --judge-model"):
        load_results(out)
    with pytest.raises(ConfigError, match="verdicts of judge-1, judge-2, not of 'judge-3'"):
        load_results(out, judge="judge-3")
    judge_answers(out, Judge(endpoint, "judge-3"))  # another judge may still be asked
    assert judged_right(load_results(out, judge="judge-3")) == 0.5


def test_without_a_judge_the_words_count(tmp_path: Path) -> None:
    results = load_results(answered(tmp_path, "Bo lies on the grass", "at home"))
    assert results.scorer("open").main == "contains_answer"
    assert not any("judged by" in fact for fact in facts(results))
    with pytest.raises(ConfigError, match="verdicts of nobody, not of 'judge-1'; judge them by --judge URL"):
        load_results(tmp_path, judge="judge-1")


@pytest.mark.parametrize("verdict", [{"of": "ego/1/0/given", "right": True}, {"of": "ego/1/0/given", "judge": ""}])
def test_verdicts_of_nobody_are_refused(endpoint: str, tmp_path: Path, verdict: dict[str, object]) -> None:
    put_verdicts(answered(tmp_path, "at home"), verdict)
    with pytest.raises(DatasetError, match=r"judge; remove it and judge again|no judge"):
        load_results(tmp_path)
    with pytest.raises(DatasetError, match=r"judgements\.jsonl"):
        judge_answers(tmp_path, Judge(endpoint, "judge-1"))
    assert not Endpoint.asked


def test_a_judge_needs_a_name(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give --judge-model"):
        judge_answers(answered(tmp_path, "at home"), Judge(endpoint, ""))


def test_a_judge_that_answers_something_else(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no verdict"):
        judge_answers(answered(tmp_path, "broken"), Judge(endpoint, "judge-1"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "localhost:8000"])
def test_a_judge_needs_an_address(url: str) -> None:
    with pytest.raises(InputError, match="give one such as"):
        Judge(url, "m").ask("?")
