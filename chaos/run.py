"""One run: prepare, storm, settle, judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from chaos.evidence import Watch, gather, patiently
from chaos.judge import Evidence, Violation, judge
from chaos.operators import Operators
from chaos.people import People
from chaos.setting import DISPATCHER_S, PASSING, Scene
from chaos.sizes import AT_ESP, Size
from chaos.storm import Storm, tick
from chaos.weather import Weather
from local.client import Client
from local.demo.preparing import verify_domain
from local.failure import LocalCloudError
from local.sandbox_client import SandboxClient
from local.steps import Steps
from shared.clock import SystemClock

_DOMAIN = "chaos.example"
_DOMAINS = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "web.de", "acme.example")
_IMPORT_S, _SETTLE_S, _QUIET_S = 120.0, 600.0, 6.0
_SAY_S = 15.0
_LOOK_S = 5


@dataclass(slots=True)
class Result:
    """What a run came to."""

    faults: dict[tuple[str, str], int]
    evidence: Evidence
    violations: list[Violation]
    operators: dict[str, int]
    most_in_doubt: int
    redriven: int
    storm_s: float
    settled_s: float
    trouble: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All faults."""
        return sum(self.faults.values())


class Run:
    """A run on a scene that is set."""

    def __init__(self, scene: Scene, steps: Steps, size: Size) -> None:
        self._scene = scene
        self._steps = steps
        self._size = size
        self._api = Client(scene.cloud.deployed.api_url, scene.cloud.api_key)
        self._sandbox = SandboxClient(scene.cloud.sandbox_url)
        self._clock = SystemClock()
        self._weather = Weather(self._sandbox, scene.gates, scene.dice, scene.tally)
        self._watch = Watch(self._api, self._clock)
        self._redriven = 0

    def run(self) -> Result:
        """All of it.

        Raises:
            LocalCloudError: the harness itself could not go on.
        """
        self._weather.clear_up()
        with self._steps.step(f"Preparing {self._size.people} people and the campaigns"):
            people, template, list_id = self._prepare()
        operators = Operators(self._api, self._scene.dice)
        storm = Storm(self._scene, self._weather, people, operators, self._watch.campaigns)
        self._watch.start()
        try:
            with self._steps.step("The storm"):
                began = time.monotonic()
                storm.begin()
                try:
                    self._keep_busy(operators, template, list_id)
                finally:
                    storm.end()
                storm_s = time.monotonic() - began
            self._weather.clear_up()
            with self._steps.step("Settling"):
                began = time.monotonic()
                self._settle()
                settled_s = time.monotonic() - began
        finally:
            self._watch.stop()
        with self._steps.step("Judging"):
            evidence = gather(
                self._api,
                self._sandbox,
                people,
                self._watch,
                exposed=self._scene.exposure.exposed(self._scene.workers.alive()),
                limits=self._size.limits,
                dispatcher_timeout=timedelta(seconds=DISPATCHER_S),
            )
            faults = self._faults()
        return Result(
            faults,
            evidence,
            judge(evidence),
            dict(sorted(operators.did.items())),
            self._watch.most_in_doubt,
            self._redriven,
            storm_s,
            settled_s,
            storm.trouble,
        )

    def _prepare(self) -> tuple[People, str, str]:
        api = self._api
        verify_domain(api, self._sandbox, _DOMAIN)
        # The brake is not what is tried here: it would stop a campaign for its complaints.
        api.call("PUT", "/settings", body={"max_complaint_rate": 1, "max_hard_bounce_rate": 1})
        list_id = api.post("/lists", {"name": "Chaos"})["id"]
        rows = [f"p{i}@{_DOMAINS[i % len(_DOMAINS)]},Ada" for i in range(self._size.people)]
        content = "\n".join(["email,first_name", *rows]).encode()
        job = api.upload("/subscribers/imports", content, "text/csv", lists=list_id)["id"]
        _until(lambda: api.get(f"/subscribers/imports/{job}")["state"] == "done", _IMPORT_S)
        found = api.items("/subscribers", list=list_id, limit=200)
        ids = {one["email"]: one["id"] for one in found}
        if len(ids) != self._size.people:
            raise LocalCloudError(f"{len(ids)} people are on the list, not {self._size.people}")
        template = api.post(
            "/templates",
            {
                "name": "chaos",
                "subject": "Hello {{ subscriber.attributes.first_name }}",
                "html": '<p>Hello</p><a href="{{ unsubscribe_url }}">Leave</a>',
            },
        )["id"]
        people = People(api, self._sandbox, list_id, ids, dice=self._scene.dice, clock=self._clock)
        return people, template, list_id

    def _keep_busy(self, operators: Operators, template: str, list_id: str) -> None:
        """Launches campaigns, and more when they are through, until there were faults enough."""
        began = said = time.monotonic()
        while True:
            if time.monotonic() - began > self._size.most_s:
                return
            wave = [self._draft(template, list_id) for _ in range(self._size.campaigns)]
            self._watch.campaigns += wave
            if len(self._watch.campaigns) == len(wave):
                self._scene.interference.kill_at_every_step(self._size.plan_steps)
            operators.launch(wave)
            looks = 0
            while looks % _LOOK_S or not self._through(wave):
                time.sleep(1)
                looks += 1
                faults = self._faults()
                if time.monotonic() - said > _SAY_S:
                    said = time.monotonic()
                    total = sum(faults.values())
                    self._steps.say(f"  {total} faults, {len(self._watch.campaigns)} campaigns")
                late = time.monotonic() - began > self._size.most_s
                if late or not self._size.lacking(faults):
                    return

    def _draft(self, template: str, list_id: str) -> str:
        draft = {
            "name": "chaos",
            "sender": {"email": f"news@{_DOMAIN}"},
            "template": template,
            "lists": [list_id],
        }
        made: str = patiently(lambda: self._api.post("/campaigns", draft))["id"]
        return made

    def _through(self, campaigns: list[str]) -> bool:
        """Whether so few are pending that a new wave keeps things lively."""
        try:
            reports = [self._api.get(f"/campaigns/{one}/report") for one in campaigns]
        except PASSING:
            return False
        return all(r["recipients"] > 0 and r["pending"] < r["recipients"] / 20 for r in reports)

    def _settle(self) -> None:
        """Only what an operator would do: resume what was paused, feed dead letters back, wait."""
        said = time.monotonic()

        def done() -> bool:
            nonlocal said
            campaigns = [self._api.get(f"/campaigns/{one}") for one in self._watch.campaigns]
            for one in campaigns:
                if one["state"] == "paused":
                    self._api.post(f"/campaigns/{one['id']}/resume")
                if one["state"] == "draft":
                    self._api.post(f"/campaigns/{one['id']}/launch")
            self._redrive()
            self._scene.hasten()
            tick(self._scene)
            if time.monotonic() - said > _SAY_S:
                said = time.monotonic()
                self._steps.say(f"  {[one['state'] for one in campaigns]}")
            return all(one["state"] in {"sent", "failed"} for one in campaigns) and self._quiet()

        try:
            _until(done, _SETTLE_S, every_s=2.0)
        except LocalCloudError as error:
            self._steps.say(f"  [red]{error}[/red]")  # the judge says what is not settled
        time.sleep(_QUIET_S)

    def _quiet(self) -> bool:
        hooks = self._sandbox.stats()["webhooks"].values()
        return all(one["pending"] == 0 for one in hooks)

    def _redrive(self) -> None:
        """As `python -m ops.redrive` does."""
        sqs = self._scene.aws("sqs")
        for output in ("JobsQueueUrl", "SesEventsQueueUrl"):
            url = self._scene.output(output)
            while letters := sqs.receive_message(QueueUrl=f"{url}-dlq", MaxNumberOfMessages=10).get(
                "Messages"
            ):
                for letter in letters:
                    self._redriven += 1
                    sqs.send_message(QueueUrl=url, MessageBody=letter["Body"])
                    sqs.delete_message(QueueUrl=f"{url}-dlq", ReceiptHandle=letter["ReceiptHandle"])

    def _faults(self) -> dict[tuple[str, str], int]:
        """Ours and the sandbox's."""
        counts = self._scene.tally.counts()
        for one in self._sandbox.faults()["faults"]:
            key = f"{AT_ESP}{one['fault']}", one["provider"]
            counts[key] = counts.get(key, 0) + 1
        return dict(sorted(counts.items()))


def _until(done: Callable[[], Any], patience_s: float, every_s: float = 0.5) -> None:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            if done():
                return
        except PASSING:
            pass  # a refusal too: somebody else was first
        time.sleep(every_s)
    raise LocalCloudError(f"it was not done after {patience_s:.0f} s")
