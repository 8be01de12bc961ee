"""Names are sorted as people sort them."""

from dockersweep.words.lists import naturally


def test_numbers_in_names_count_as_numbers() -> None:
    assert naturally(["ci-job-10", "ci-job-2", "ci-job-1"]) == ["ci-job-1", "ci-job-2", "ci-job-10"]
    assert naturally(["b", "A", "a", "10", "9", ""]) == ["", "9", "10", "A", "a", "b"]
    assert naturally(["v1.10", "v1.9", "v01.9"]) == ["v01.9", "v1.9", "v1.10"]


def test_a_number_may_have_any_length_and_any_digits() -> None:
    assert naturally(["9" * 10_000, "8" * 10_000, "1" + "0" * 10_000]) == [
        "8" * 10_000, "9" * 10_000, "1" + "0" * 10_000,
    ]  # fmt: skip
    assert naturally(["x²", "x１", "x1"]) == ["x1", "x²", "x１"]
