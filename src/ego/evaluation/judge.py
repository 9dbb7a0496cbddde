"""Let a model behind an OpenAI-compatible endpoint judge open answers: does the answer mean the reference?

The question and the wording follow PeKit's judge (meaningful match, synonyms allowed, yes or no, temperature 0); the
verdict is read as a word, not as a substring.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from ego.errors import InputError
from ego.evaluation.manifest import OpenSample
from ego.evaluation.reading import yes_or_no
from ego.evaluation.records import Judgement, Lines
from ego.evaluation.report.results import load_answers
from ego.evaluation.report.verdicts import FILE, read_judgements

TIMEOUT = 60  # seconds for one verdict
PROMPT = (
    "Question: {question}\nReference answer: {reference}\nGiven answer: {answer}\n"
    "Does the given answer match the reference in meaning? Synonyms are allowed. Answer with Yes or No only."
)


@dataclass(frozen=True)
class Judge:
    """An endpoint.

    Attributes:
        url: Such as http://localhost:8000/v1
        model: Name of the model there.
        key: Bearer token, if the endpoint wants one.
    """

    url: str
    model: str
    key: str = ""

    def ask(self, prompt: str) -> str:
        """Get the answer to one prompt.

        Raises:
            InputError: If the endpoint cannot be reached or answers something else.
        """
        body = {"model": self.model, "temperature": 0, "messages": [{"role": "user", "content": prompt}]}
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        address = f"{self.url.rstrip('/')}/chat/completions"
        if not address.startswith(("http://", "https://")):
            raise InputError(f"the judge's address is {self.url!r}; give one such as http://localhost:8000/v1")
        request = Request(address, json.dumps(body).encode(), headers)
        try:
            with urlopen(request, timeout=TIMEOUT) as response:
                return str(json.load(response)["choices"][0]["message"]["content"])
        except (URLError, TimeoutError, ValueError, LookupError, TypeError) as error:
            raise InputError(f"no verdict from {address} ({error}); check the address and the model's name") from error


def judge_answers(out: Path, judge: Judge, on_verdict: Callable[[Judgement], None] = lambda verdict: None) -> None:
    """Judge every open answer of a run that this judge has not judged yet, or not readably.

    Raises:
        InputError: If the judge's model is not named, or the endpoint gives no verdict.
        DatasetError: If the folder holds no run or damaged verdicts.
    """
    if not judge.model:
        raise InputError(f"the judge at {judge.url} has no model name; give --judge-model, verdicts are kept by it")
    results = load_answers(out)
    questions = {sample.id: sample for sample in results.manifest.samples if isinstance(sample, OpenSample)}
    done = {line.key for line in read_judgements(out) if line.right is not None}
    lines = Lines(out / FILE, Judgement)
    for record in results.records:
        verdict = Judgement(of=record.key, judge=judge.model)
        if record.sample in questions and verdict.key not in done:
            sample = questions[record.sample]
            words = {"question": sample.question, "reference": sample.answer}
            spelled = {name: results.manifest.in_words(text) for name, text in words.items()}
            right = yes_or_no(judge.ask(PROMPT.format(answer=record.text, **spelled)))
            verdict = verdict.model_copy(update={"right": right})
            lines.append(verdict)
            on_verdict(verdict)
