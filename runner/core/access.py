"""Who may do what in the dashboard.

- A **reader** sees the pages, a **triager** says what is known of failure groups, an **admin** also
  ends sessions and revokes tokens. Whoever is more may do what the lesser may.
- Roles are lists: `alice`, `@org/team` for a team, `@org` for an organisation, `*` for everybody.
  The highest list that names somebody counts; who is in none, and can't read, has no role.
- By default everybody reads, also without signing in, and nobody but a token changes anything.
- On loopback, as long as no sign-in is set up, whoever uses the dashboard is its admin: it is
  theirs. Who reaches it by another name, or through a proxy, is not.
"""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Role(StrEnum):
    """What somebody may do, the least first."""

    READER = "reader"
    TRIAGER = "triager"
    ADMIN = "admin"

    def allows(self, wanted: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(wanted)


class Scope(StrEnum):
    """What a token is good for."""

    RESULTS = "results"
    TRIAGE = "triage"
    READ = "read"

    @property
    def role(self) -> Role | None:
        """Whom its bearer counts as on the pages."""
        return {Scope.TRIAGE: Role.TRIAGER, Scope.READ: Role.READER}.get(self)


class SignIn(StrEnum):
    """How people say who they are."""

    #: by nothing: one user, on loopback
    LOCAL = "local"
    GITHUB = "github"
    #: they can't; tokens can
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Whom a list names."""

    everybody: bool = False
    people: frozenset[str] = frozenset()
    #: `org`, `org/team`
    groups: frozenset[str] = frozenset()

    @classmethod
    def read(cls, text: str) -> Self:
        names = [name.strip().lower() for name in text.replace(",", " ").split()]
        return cls(
            everybody="*" in names,
            people=frozenset(name for name in names if name[:1] not in ("@", "*")),
            groups=frozenset(name[1:] for name in names if name.startswith("@")),
        )

    def names(self, login: str, memberships: Collection[str]) -> bool:
        return self.everybody or login.lower() in self.people or bool(self.groups & {*memberships})


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The lists of all roles."""

    readers: Listed
    triagers: Listed
    admins: Listed

    def of(self, login: str, memberships: Collection[str]) -> Role | None:
        """The role of somebody who has signed in."""
        ranked = (
            (self.admins, Role.ADMIN),
            (self.triagers, Role.TRIAGER),
            (self.readers, Role.READER),
        )
        return next((role for listed, role in ranked if listed.names(login, memberships)), None)

    @property
    def of_strangers(self) -> Role | None:
        """The role of who has not signed in."""
        return Role.READER if self.readers.everybody else None

    @property
    def groups(self) -> frozenset[str]:
        """The organisations and teams that decide roles."""
        return self.readers.groups | self.triagers.groups | self.admins.groups


def is_loopback(host: str) -> bool:
    """Whether a name, with or without a port, is this machine's own."""
    name = host.rpartition(":")[0] if host.count(":") == 1 else host
    name = name.strip("[]") if not host.startswith("[") else host[1:].partition("]")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def safe_next(path: str) -> str:
    """Where to go on after signing in: a page of ours, never elsewhere."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if inside and "\\" not in path else "/"
