import os
import signal
import threading

import pytest

from nasbench.runs.interrupts import HeldInterrupt, ignoring_interrupts


def test_a_second_interrupt_ends_at_once():
    with HeldInterrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.came
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_is_ignored_or_another_thread_stays_as_it_is():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with HeldInterrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
    assert not interrupt.came
    signal.signal(signal.SIGINT, before)
    thread = threading.Thread(target=HeldInterrupt().__enter__)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_patient_one_defers_every_interrupt():
    with HeldInterrupt(patient=True) as interrupt:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
    assert interrupt.came


def test_interrupts_are_ignored_for_a_moment():
    before = signal.getsignal(signal.SIGINT)
    with ignoring_interrupts():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    thread = threading.Thread(target=ignoring_interrupts().__enter__)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
