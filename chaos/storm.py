"""The storm: everything that can go wrong does, until enough has."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from chaos.faults import Fault
from chaos.operators import Operators
from chaos.people import People
from chaos.setting import PASSING, Scene
from chaos.weather import Weather

_VICTIMS = ("dispatcher", "webhooks", "aggregator", "scheduler") * 2 + ("jobs",)
"""The plan job dies at its steps too."""

_EARLY_S, _MOMENT_S = 2, 1.5


class Storm:
    """Threads that each do one kind of harm every now and then, until they are stopped."""

    def __init__(
        self,
        scene: Scene,
        weather: Weather,
        people: People,
        operators: Operators,
        campaigns: list[str],
    ) -> None:
        self._scene = scene
        self._campaigns = campaigns
        self._stopping = threading.Event()
        every: tuple[tuple[float, Callable[[], object]], ...] = (
            (3.0, weather.turn),
            (3.0, self._kill_one),
            (1.0, people.one_leaves),
            (2.5, lambda: operators.meddle(campaigns)),
            (6.0, self._pass_visibility),
            (8.0, self._look_early),
            (4.0, self._tick),
            (6.0, lambda: operators.resume(campaigns)),
        )
        self.trouble: list[str] = []
        self._threads = [
            threading.Thread(target=self._repeat, args=(pause, do), name="storm")
            for pause, do in every
        ]

    def begin(self) -> None:
        """Breaks loose."""
        self._scene.interference.on = True
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Abates: nothing more is broken."""
        self._stopping.set()
        self._scene.interference.on = False
        for thread in self._threads:
            thread.join()
        self._scene.show_again_after(self._scene.visibility_s)

    def _repeat(self, pause: float, do: Callable[[], object]) -> None:
        while not self._stopping.wait(pause):
            try:
                do()
            except PASSING:
                continue  # the product was hit so hard that it had no answer
            except Exception as error:  # noqa: BLE001 - a broken harness must be seen, not crash silently
                self.trouble.append(f"{type(error).__name__}: {error}")

    def _kill_one(self) -> None:
        """The function is drawn first, so that no one with many workers gets all the bullets."""
        dice, workers = self._scene.dice, self._scene.workers
        function = _VICTIMS[dice.pick("whom", len(_VICTIMS))]
        pids = sorted(pid for pid, name in workers.at_work().items() if name == function)
        if not pids:
            return
        pid = pids[dice.pick("which", len(pids))]
        if function == "dispatcher":
            self._scene.exposure.fault(pid)
        if workers.kill(pid):
            self._scene.tally.add(Fault.KILLED, function)

    def _pass_visibility(self) -> None:
        """What is received in this moment is shown again while it is being sent."""
        self._scene.show_again_after(_EARLY_S)
        time.sleep(_MOMENT_S)
        if self._scene.received():
            self._scene.tally.add(Fault.SHOWN_EARLY, "bulk queue")
        self._scene.show_again_after(self._scene.visibility_s)

    def _look_early(self) -> None:
        moved = self._scene.hasten()
        if moved:
            self._scene.tally.add(Fault.LOOKED_EARLY, "scheduler")

    def _tick(self) -> None:
        tick(self._scene)


def tick(scene: Scene) -> None:
    """One run of the scheduler, beside those of every minute. It may be killed in it."""
    name = scene.output("SchedulerFunction")
    scene.aws("lambda").invoke(FunctionName=name, Payload=b"{}")
