"""The toys. Each overrides the step at which its fate strikes."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar, NoReturn

import numpy as np

from harness.errors import CaseError, RuntimeLimit

TOYS: dict[str, type["Toy"]] = {}


class Toy:
    """A model that doubles its input, and that can be captured, lowered and run."""

    #: why it can't become a case
    skip: ClassVar[str | None] = None

    def __init_subclass__(cls) -> None:
        TOYS[cls.__name__] = cls

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x * 2

    def shaken(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What `forward` gives with other random numbers, and with other rounding."""
        return {"random": self.forward(x), "ill-conditioned": self.forward(x)}

    def capture(self, dynamic: bool) -> None:
        """Nothing to do."""

    def lower(self) -> None:
        """Nothing to do."""

    def run(self, x: np.ndarray) -> np.ndarray:
        return self.forward(x)

    def content(self) -> bytes:
        """What its program is made of."""
        return type(self).__name__.encode()


class Passes(Toy):
    """All is well."""


class DriftsNumerically(Toy):
    """Its program is a little off."""

    def run(self, x: np.ndarray) -> np.ndarray:
        return self.forward(x) + np.float32(0.25)


class AmplifiesRounding(DriftsNumerically):
    """Is a little off as well, but eager is just as much so when its weights are rounded."""

    def shaken(self, x: np.ndarray) -> dict[str, np.ndarray]:
        moved = self.forward(x) + np.float32(0.125)
        return {"random": self.forward(x), "ill-conditioned": moved}


class Segfaults(Toy):
    """Reads where nothing is."""

    def lower(self) -> None:
        print("about to read address 1", flush=True)  # noqa: T201  (a model that prints)
        ctypes.string_at(1)


class Aborts(Toy):
    """Ends itself as a failed C++ assertion does."""

    def lower(self) -> None:
        print("terminate called after throwing an instance of 'std::runtime_error'", flush=True)  # noqa: T201  (a model that prints)
        os.abort()


class Exits(Toy):
    """Leaves with a status of its own."""

    def lower(self) -> None:
        os._exit(3)


class ExitsCleanly(Toy):
    """Leaves with status 0 and without a result."""

    def lower(self) -> None:
        os._exit(0)


class IsKilled(Toy):
    """Killed by someone else."""

    def lower(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Hangs(Toy):
    """One C call that holds the GIL for hours."""

    def lower(self) -> None:
        sum(range(10**15))


class Sleeps(Toy):
    """Takes half an hour over nothing."""

    def lower(self) -> None:
        time.sleep(1800)


class DefiesSignals(Toy):
    """Ignores every signal that can be ignored, and then hangs."""

    def lower(self) -> None:
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            if number < signal.SIGRTMIN:
                signal.signal(number, signal.SIG_IGN)
        time.sleep(1800)


class EatsMemory(Toy):
    """Touches 16 MiB more, for ever."""

    def lower(self) -> None:
        eaten = []
        while True:
            eaten.append(b"x" * (16 << 20))
            time.sleep(0.005)


class FeedsAChild(Toy):
    """Its helper process eats the memory."""

    def lower(self) -> None:
        eater = "eaten = []\nwhile True: eaten.append(b'x' * (16 << 20))"
        subprocess.run([sys.executable, "-c", eater], check=True)


class ForksAnOrphan(Toy):
    """Passes, and leaves a process in its own group and one in a session of its own."""

    def lower(self) -> None:
        mark = f"orphan-of-{os.getppid()}"
        for away in (False, True):
            subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(1800)", mark],
                start_new_session=away,
            )


class LeavesAndSleeps(ForksAnOrphan):
    """Leaves the same processes, and takes half an hour."""

    def lower(self) -> None:
        super().lower()
        time.sleep(1800)


class KnowsItsOrigin(Toy):
    """Passes, and becomes another program where it was forked from a zygote."""

    def content(self) -> bytes:
        return b"forked" if was_forked() else b"cold"


class FailsWhereForked(Toy):
    """Fails, but not in a process of its own."""

    def lower(self) -> None:
        if was_forked():
            raise RuntimeError("what the zygote imported is in the way")


class DiesWhereCold(Toy):
    """Passes, but dies in a process of its own."""

    def lower(self) -> None:
        if not was_forked():
            os.abort()


class DawdlesWhereCold(Toy):
    """Passes, but takes half an hour in the first process of its own (it marks it in HF_HOME)."""

    def lower(self) -> None:
        mark = Path(os.environ.get("HF_HOME", "."), "dawdled")  # noqa: TID251  (a model's cache)
        if not was_forked() and not mark.exists():
            mark.touch()
            time.sleep(1800)


def was_forked() -> bool:
    return b"isolation.zygote" in Path("/proc/self/cmdline").read_bytes()


class Litters(Toy):
    """Passes, and leaves a file in the current and in the temporary folder."""

    def lower(self) -> None:
        Path("litter").write_text("here")
        Path(tempfile.gettempdir(), "litter").write_text("there")


class TellsVariables(Toy):
    """Fails, and tells every variable it can see."""

    def lower(self) -> NoReturn:
        told = "\n".join(f"{name}={value}" for name, value in sorted(os.environ.items()))  # noqa: TID251  (what it is about)
        raise ValueError(told)


class Flakes(Toy):
    """Fails the first time, and passes once it finds the mark it left (under HF_HOME)."""

    def lower(self) -> None:
        mark = Path(os.environ.get("HF_HOME", "."), "flaked")  # noqa: TID251  (a model's cache)
        if not mark.exists():
            mark.touch()
            raise ConnectionError("the first time is the hardest")


class TakesAMoment(Toy):
    """Passes after a third of a second."""

    def lower(self) -> None:
        time.sleep(0.3)


class DiesAtFirst(Toy):
    """Dies the first time, and passes once it finds the mark it left (under HF_HOME)."""

    def lower(self) -> None:
        mark = Path(os.environ.get("HF_HOME", "."), "died")  # noqa: TID251  (a model's cache)
        if not mark.exists():
            mark.touch()
            os.abort()


class SpecializesBatch(Toy):
    """Quietly fixes the sizes it was traced with."""

    def run(self, x: np.ndarray) -> np.ndarray:
        return (x * 2).reshape(2, 3) if x.size == 6 else np.zeros((2, 3), np.float32)


class BranchesOnData(Toy):
    """Can't be captured."""

    def capture(self, dynamic: bool) -> NoReturn:
        raise RuntimeError("Could not guard on data-dependent expression Eq(u0, 1)")


class LacksKernel(Toy):
    """Exports, but nothing can run it."""

    def run(self, x: np.ndarray) -> NoReturn:
        raise RuntimeLimit("no kernel for aten::toy.out")


class SpoilsTheHarness(Toy):
    """Breaks what would tell its result."""

    def lower(self) -> None:
        sys.modules["harness.attempt"]._whole = None  # type: ignore[attr-defined]  # on purpose


class RefusesToBuild(Toy):
    """Can't be made at all."""

    def __init__(self) -> None:
        raise CaseError("toy/RefusesToBuild has no tiny size")


class PrintsMarkup(Toy):
    """Says things that must be escaped wherever they are shown."""

    def lower(self) -> NoReturn:
        text = "<script>alert('toy')</script> \x1b[31mred\x1b[0m"
        print(text)  # noqa: T201  (a model that prints)
        raise ValueError(text)


class NeedsMissingPackage(Toy):
    """Needs what is not installed."""

    skip = "needs the package no-such-package"
