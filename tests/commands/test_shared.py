from __future__ import annotations

import io
import os
import re
import signal
from contextlib import redirect_stderr

import pytest
from torch import nn

from zspag_core.commands.shared import interruptible, parse_classes, parse_seed, parse_settings
from zspag_core.errors import Cancelled, UsageError


def test_settings_are_pairs_and_values_may_hold_anything():
    assert parse_settings(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}


@pytest.mark.parametrize("pairs", [["a"], ["=1"], ["a=1", "a=1"], [""]])
def test_bad_pairs_are_refused(pairs):
    with pytest.raises(UsageError, match=r"^--set: "):
        parse_settings(pairs)


def test_lists_of_classes_are_split_and_trimmed():
    assert parse_classes(" 5, cat,", "--x") == ("5", "cat")


def test_names_with_commas_stand_in_quotation_marks():
    assert parse_classes('"tench, Tinca tinca",cat', "--x") == ("tench, Tinca tinca", "cat")
    assert parse_classes('cat, "a ""b"", c" ', "--x") == ("cat", 'a "b", c')
    assert parse_classes('6" plate,cat', "--x") == ('6" plate', "cat")
    with pytest.raises(UsageError, match=r"^--x: expected every quotation mark to be closed, got '\"cat'"):
        parse_classes('"cat', "--x")


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_empty_lists_of_classes_are_refused(text):
    with pytest.raises(UsageError, match=r"^--x: expected classes by number or name"):
        parse_classes(text, "--x")


def test_seeds():
    assert parse_seed("0") == 0
    assert parse_seed(str(2**63 - 1)) == 2**63 - 1
    for text in ("", "-1", "1.5", "x", str(2**63)):
        with pytest.raises(UsageError, match=r"^--seed: "):
            parse_seed(text)


def test_bars_and_lines_go_to_stderr(capfd):
    with interruptible() as report:
        report.progress("proxies", 0, 4)
        assert capfd.readouterr().err == ""
        report.progress("proxies", 2, 4, found=3)
        report.progress("unlearn", 1, 2, loss=0.25)
        report.epoch(0, 0, nn.Linear(1, 1), acc_rt=99.5)
        report.epoch(1, 3, nn.Linear(1, 1), loss=0.123456)
    out, err = capfd.readouterr()
    assert out == ""
    assert "proxies" in err
    assert "unlearn" in err
    assert "original: acc_rt 99.5\n" in err
    assert "epoch 1/3: loss 0.1235" in err


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def test_a_log_gets_a_line_a_stage_instead_of_bars(capfd):
    with interruptible() as report:
        report.progress("unlearn", 45, 150)
        report.progress("evaluate", 29, 500)
    assert re.fullmatch(r"unlearn: done after \d+ s\nevaluate: done after \d+ s\n", capfd.readouterr().err)


def test_a_stage_that_ends_before_its_limit_has_a_full_bar():
    with redirect_stderr(Terminal()) as terminal, interruptible() as report:
        report.progress("unlearn", 45, 150)
        report.progress("evaluate", 29, 500)
    err = terminal.getvalue()
    assert "45/45" in err
    assert "29/29" in err


def test_a_stage_that_fails_has_the_bar_it_came_to():
    terminal = Terminal()

    def fail():
        with redirect_stderr(terminal), interruptible() as report:
            report.progress("unlearn", 45, 150)
            raise UsageError("no")

    with pytest.raises(UsageError):
        fail()
    err = terminal.getvalue()
    assert "45/150" in err
    assert "45/45" not in err


def test_the_first_ctrl_c_cancels_and_the_second_ends_at_once():
    before = signal.getsignal(signal.SIGINT)

    def press():
        os.kill(os.getpid(), signal.SIGINT)

    with interruptible() as report:
        report.progress("unlearn", 1, 2)
        press()
        with pytest.raises(Cancelled):
            report.progress("unlearn", 2, 2)
        with pytest.raises(Cancelled):
            report.epoch(1, 2, nn.Linear(1, 1))
        with pytest.raises(KeyboardInterrupt):
            press()
    assert signal.getsignal(signal.SIGINT) is before
