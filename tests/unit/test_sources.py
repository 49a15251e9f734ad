"""What a definition is, what follows from it, and what makes a fingerprint."""

from textwrap import dedent

import pytest

from harness.cells import Cell
from runner.core.sources.boundaries import barred, registry
from runner.core.sources.definitions import Module, take_apart
from runner.core.sources.fingerprint import Fingerprints
from runner.core.sources.impact import Impact, impact
from runner.core.sources.reach import Place, Sources


def _module(name: str, text: str, *, package: bool = False) -> Module:
    return take_apart(dedent(text), name, package=package, registry=registry(name))


def _sources(**texts: str) -> Sources:
    return Sources({name: _module(name, text) for name, text in texts.items()})


def _digests(text: str) -> dict[str, str]:
    found = _module("m", text).definitions
    return {name: definition.digest for name, definition in found.items()}


def _reached(sources: Sources, *roots: str) -> set[str]:
    places = [Place(*root.split(":")) for root in roots]
    return {place.id for place in sources.reach(places).origins}


BEFORE = '''
    class Attention:
        """Says what it does."""

        scale = 2

        def forward(self, x):
            return x * self.scale

        def prune(self):
            return None
'''


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("Says what it does.", "Says it better.", set()),
        ("return x * self.scale", "# scaled\n            return x * self.scale", set()),
        ("return x * self.scale", "return  (x * self.scale)", set()),
        ("return x * self.scale", "return x / self.scale", {"Attention.forward"}),
        ("scale = 2", "scale = 3", {"Attention"}),
        ("class Attention:", "@slow\n    class Attention:", {"Attention"}),
    ],
)
def test_a_change_is_of_what_it_stands_in_and_comments_are_none(
    old: str, new: str, changed: set[str]
) -> None:
    assert old in BEFORE
    before, after = _digests(BEFORE), _digests(BEFORE.replace(old, new))
    assert {name for name in before if before[name] != after[name]} == changed


def test_a_name_that_is_imported_from_elsewhere_is_another_name() -> None:
    text = "from torch import relu as act\ndef run(x): return act(x)\ndef other(x): return x\n"
    before, after = _digests(text), _digests(text.replace("relu", "gelu"))
    assert {name for name in before if before[name] != after[name]} == {"run"}


def test_what_stands_under_a_condition_changes_with_it() -> None:
    text = "if FAST:\n    def run(): return 1\nelse:\n    def run(): return 2\ndef other(): pass\n"
    before, after = _digests(text), _digests(text.replace("FAST", "SLOW"))
    assert {name for name in before if before[name] != after[name]} == {"run"}


def test_names_lead_to_functions_of_other_modules_under_other_names() -> None:
    sources = _sources(
        a="from b import twice as double\nimport c\n\ndef run(x): return double(x) + c.one()\n",
        b="from d import *\n",
        c="def one(): return 1\n\ndef two(): return 2\n",
        d="def twice(x): return 2 * x\n",
    )
    assert _reached(sources, "a:run") == {"a:run", "d:twice", "c:one"}


def test_imports_that_go_in_circles_end() -> None:
    sources = _sources(a="from b import *\ndef run(): return lost()\n", b="from a import *\n")
    assert _reached(sources, "a:run") == {"a:run"}


CLASSES = """
    from torch import nn

    class Base(nn.Module):
        def forward(self, x):
            return self.mix(x)

        def mix(self, x):
            return x

        def prune(self):
            return None

    class Child(Base):
        def __init__(self):
            self.depth = depth()

        def mix(self, x):
            return x + 1

    class Stranger(nn.Module):
        def mix(self, x):
            return x + 2

    def depth():
        return 2
"""


def test_methods_follow_when_something_calls_their_name_on_a_class_that_is_used() -> None:
    reached = _reached(_sources(m=CLASSES), "m:Child")
    assert {"m:Base.forward", "m:Base.mix", "m:Child.mix", "m:depth"} <= reached
    assert not reached & {"m:Base.prune", "m:Stranger", "m:Stranger.mix"}


def test_a_name_that_is_put_together_reaches_all_that_it_can_mean() -> None:
    sources = _sources(
        m="""
        class Rope:
            def __init__(self, kind):
                getattr(self, f"_validate_{kind}_rope")()
            def _validate_linear_rope(self): pass
            def _validate_linear_other(self): pass
        """
    )
    assert "m:Rope._validate_linear_rope" in _reached(sources, "m:Rope")
    assert "m:Rope._validate_linear_other" not in _reached(sources, "m:Rope")


def test_every_method_of_a_class_counts_if_another_library_may_call_it() -> None:
    sources = _sources(
        m="from x import Rewriter\nclass Mine(Rewriter):\n    def pattern(self): 1\n"
    )
    assert "m:Mine.pattern" in _reached(sources, "m:Mine")


def test_what_a_module_registers_counts_as_soon_as_anything_of_it_does() -> None:
    sources = _sources(
        m="""
        TABLE = {}
        def register(name): return TABLE.setdefault(name, lambda each: each)
        @register("x")
        def patched(): pass
        def plain(): pass
        def run(): pass
        """
    )
    assert _reached(sources, "m:run") == {"m:run", "m:patched", "m:register", "m:TABLE"}


def test_an_annotation_is_no_use() -> None:
    sources = _sources(m="class Cache: pass\ndef run(cache: Cache) -> Cache: return cache\n")
    assert _reached(sources, "m:run") == {"m:run"}


def test_a_path_says_how_something_was_reached() -> None:
    sources = _sources(m="def a(): b()\ndef b(): c()\ndef c(): pass\n")
    reached = sources.reach([Place("m", "a")])
    assert [place.name for place in reached.path(Place("m", "c"))] == ["a", "b", "c"]


def test_tokenizers_loading_and_other_devices_are_barred_and_modeling_is_not() -> None:
    assert barred("transformers.models.bert.tokenization_bert")
    assert not barred("transformers.models.bert.modeling_bert")
    loading = "transformers.modeling_utils:PreTrainedModel.from_pretrained"
    assert barred(loading)
    assert not barred(loading.replace("from_pretrained", "post_init"))
    assert barred("transformers.integrations.sonicmoe:sonicmoe_experts_forward")


NAMES = "transformers.models.auto.modeling_auto"
ROWS = "".join(f'    ("model{n}", "Model{n}"),\n' for n in range(30))
TABLE = f"NAMES = OrderedDict([\n{ROWS}])\n"
MODEL = "transformers.models.model7.modeling_model7"
CELL = Cell.parse("model7/Model7/forward-static/dynamo")


def _fingerprint(
    table: str = TABLE, model: str = "class Model7: pass", common: str = "torch 2.13"
) -> str | None:
    modules = {
        NAMES: _module(NAMES, table),
        MODEL: _module(MODEL, f"from ..auto.modeling_auto import NAMES\n{model}\n"),
        "zoo": _module("zoo", "def zoo(): return NAMES\n"),
    }
    fingerprints = Fingerprints(Sources(modules), zoo="zoo", common=[common])
    return fingerprints.of(CELL, [f"{MODEL}:Model7"])


def test_a_row_for_a_new_model_concerns_no_other_model() -> None:
    added = TABLE.replace('("model8"', '("model80", "Model80"),\n    ("model8"')
    assert _fingerprint(added) == _fingerprint()
    assert _fingerprint(TABLE.replace('"Model7"', '"Model70"')) != _fingerprint()


def test_another_stack_is_another_fingerprint() -> None:
    assert _fingerprint(common="torch 2.14") != _fingerprint()


def test_a_class_that_a_revision_does_not_have_has_no_fingerprint() -> None:
    assert _fingerprint(model="class Model8: pass") is None


def _impact(before: str, after: str) -> Impact:
    cells = [Cell.parse(f"a/{name}/forward-static/dynamo") for name in ("One", "Two", "Three")]
    made_of = [[f"{MODEL}:{cell.model_class}"] for cell in cells]
    sides = [
        Fingerprints(_sources(**{MODEL: text}), zoo="zoo", common=[]) for text in (before, after)
    ]
    return impact(*sides, zip(cells, made_of, strict=True))


def test_an_impact_names_the_cells_with_the_definition_that_is_why() -> None:
    before = "class One: pass\nclass Two:\n    def __init__(self): mix()\ndef mix(): return 1\n"
    after = before.replace("return 1", "return 2") + "class Three: pass\n"
    found = _impact(before, after)
    assert [(each.cell.model_class, each.because[0]) for each in found.affected] == [
        ("Two", f"{MODEL}:mix")
    ]
    assert found.affected[0].path == (f"{MODEL}:Two", f"{MODEL}:Two.__init__", f"{MODEL}:mix")
    assert [cell.model_class for cell in found.added] == ["Three"]
    assert found.unaffected == 1


def test_an_impact_of_nothing_is_nothing() -> None:
    text = "class One: pass\nclass Two: pass\nclass Three: pass\n"
    assert _impact(text, f"# the same\n{text}") == Impact(
        changed=(), affected=(), added=(), unaffected=3
    )
