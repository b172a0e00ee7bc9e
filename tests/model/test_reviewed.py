"""The models follow the core as it is: what they cite exists and reads as it did when they were reviewed."""

import pytest
from tests.model import review

MODEL = {"kick.pml": "    owed = 1                /* work.pxd work_kick [work-kicked] */\n"}
KICK = '''cdef inline bint work_kick(
    Work* work
) noexcept nogil:
    """Owe one more run."""
    if a64_fetch_or_full(&work.state, WORK_PENDING):      # [work-kicked]
        return False
    return True


'''
CORE = {"work.pxd": KICK + "cdef inline void work_rest() noexcept nogil:\n    pass\n"}


def test_models_follow_the_core() -> None:
    found = review.complaints(review.models(), review.core(), review.reviewed())
    assert not found, "\n".join(["", *found])


def test_list_is_what_would_be_recorded() -> None:
    assert review.reviewed() == review.record(review.models(), review.core())


def test_models_cite_much_of_the_core() -> None:
    assert len(review.cited(review.models())) > 40


# ------------------------------------------------------------------------- the checker is checked


def complain(model: str = MODEL["kick.pml"], kick: str = KICK) -> list[str]:
    core = {"work.pxd": CORE["work.pxd"].replace(KICK, kick)}
    return review.complaints({"kick.pml": model}, core, review.record(MODEL, CORE))


@pytest.mark.parametrize(
    "kick",
    [
        KICK,
        KICK.replace("Owe one more run.", "Owe a run."),
        KICK.replace("# [work-kicked]", "# who comes first? [work-kicked]"),
        KICK.replace("      # [", " # ["),
    ],
)
def test_unchanged_code_is_accepted(kick: str) -> None:
    assert complain(kick=kick) == []


@pytest.mark.parametrize(
    ("reason", "kick"),
    [
        ("has changed", KICK.replace("fetch_or_full", "fetch_or_relaxed")),
        ("has changed", KICK.replace("WORK_PENDING", "WORK_LINKED")),
        ("has changed", KICK.replace("    return True\n", "    work_rest()\n    return True\n")),
        ("has changed", KICK.replace("        return False", "    return False")),
        ("has no tag", KICK.replace("[work-kicked]", "")),
        ("does not exist", KICK.replace("work_kick", "work_push")),
    ],
)
def test_changed_code_is_noticed(reason: str, kick: str) -> None:
    assert kick != KICK
    (found,) = complain(kick=kick)
    assert reason in found
    assert "work.pxd:work_kick" in found
    assert "kick.pml" in found


def test_a_changed_function_says_how_to_record_the_review() -> None:
    (found,) = complain(kick=KICK.replace("return True", "return 1"))
    assert found.endswith(review.RECORD)


@pytest.mark.parametrize(
    ("reason", "model"),
    [
        ("not cited", ""),
        ("was not reviewed", MODEL["kick.pml"] + "/* work.pxd work_rest */"),
        ("does not exist", MODEL["kick.pml"] + "/* work.pxd work_wake */"),
        ("not a citation", MODEL["kick.pml"] + "/* work.pxd work_rest, at the end */"),
        ("not a citation", MODEL["kick.pml"] + "/* work.pxd: work_rest */"),
    ],
)
def test_a_changed_model_is_noticed(reason: str, model: str) -> None:
    (found,) = complain(model=model)
    assert reason in found


def test_every_real_function_is_sensitive() -> None:
    """A statement more in any cited function is noticed: no function is cut short where it is read."""
    core = review.core()
    for key in review.reviewed():
        file, _ = key.split(":")
        text = review.function_text(key, core)
        assert text is not None
        last = text.rstrip().splitlines()[-1]
        more = last.replace("}", "more(); }") if file.endswith(".h") else f"{last}\n    more()"
        head, _, tail = text.rpartition(last)
        planted = core | {file: core[file].replace(text, head + more + tail)}
        found = review.complaints(review.models(), planted, review.reviewed())
        assert len(found) == 1
        assert f"{key} has changed" in found[0]
