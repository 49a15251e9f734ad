"""How long an attempt spends in each of its stages."""

import time
from dataclasses import dataclass, field

from harness.backends.base import Enter
from harness.results import Stage


@dataclass(slots=True)
class Clock:
    """Where the attempt is, and the seconds that each stage has taken so far."""

    tell: Enter
    stage: Stage = Stage.BUILD
    spent: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def enter(self, stage: Stage) -> None:
        self._stop()
        self.stage = stage
        self.tell(stage)

    def _stop(self) -> None:
        now = time.perf_counter()
        self.spent[self.stage] = self.spent.get(self.stage, 0.0) + now - self._since
        self._since = now

    def stop(self) -> dict[str, float]:
        self._stop()
        return {stage: round(seconds, 6) for stage, seconds in self.spent.items()}
