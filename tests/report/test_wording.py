import pytest

from blur.report import style, wording
from blur.report.runs import Run
from blur.report.summary import Summary, summarise


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ("forget_rouge", "Forget ROUGE-L"),
        ("verbmem_f", "VerbMem (forget)"),
        ("knowmem_r", "KnowMem (retain)"),
        ("verbmem_f_stemmed", "VerbMem (forget, stemmed)"),
        ("wmdp_bio_acc", "WMDP bio accuracy"),
        ("mmlu_acc_text", "MMLU accuracy (by text)"),
        ("mmlu_acc.college_chemistry", "College chemistry"),
        ("forget_accuracy_letter", "Forget accuracy (by letter)"),
        ("privleak", "PrivLeak (%)"),
        ("fold_2_probability", "Fold 2 probability"),
    ],
)
def test_labels(metric: str, text: str) -> None:
    assert wording.label(metric) == text


def test_names_keep_their_capitals_in_a_sentence() -> None:
    assert wording.in_sentence("forget_rouge") == "forget ROUGE-L"
    assert wording.in_sentence("knowmem_f") == "KnowMem (forget)"
    assert wording.in_sentence("mmlu_acc") == "MMLU accuracy"


def test_the_direction_is_that_of_the_results(runs: list[Run]) -> None:
    assert wording.better(runs, "model_utility") == "(higher is better)"
    assert wording.better(runs, "privleak") == "(nearest 0 is best)"
    assert wording.better(runs, "forget_truth_ratio") == "(nearest retrained is best)"
    assert wording.better(runs, "unknown") == ""


def test_a_difference_has_as_many_digits_as_it_needs() -> None:
    assert wording.signed(Summary(0.0123, None, None, 1)) == "+0.012"
    assert wording.signed(Summary(-0.5, -0.75, -0.25, 3)) == "−0.500 [−0.750, −0.250]"
    assert wording.signed(Summary(-12.34, -20.0, -4.68, 3)) == "−12.3 [−20.0, −4.7]"
    assert wording.signed(Summary(1e130, None, None, 1)) == "+1.0e+130"


def test_values_whose_squares_overflow_have_a_mean_and_no_interval() -> None:
    found = summarise([1.0, 1e200])
    assert (found.mean, found.low, found.high, found.n) == (5e199, None, None, 2)


def test_activation_losses_have_their_look(runs: list[Run]) -> None:
    looks = {run.method: style.look(run) for run in runs if run.variant == "default"}
    assert style.loss_title("rmu") == "Forget loss: RMU"
    assert looks["rmu"].colour == looks["npo_gdr"].colour
    assert looks["blur_rmu"].colour == looks["blur_npo"].colour
    assert looks["rmu"].marker == looks["blur_rmu"].marker == style.MARKERS["rmu"]
