from edge.stream import WINDOW, Inlet, Outlet, Verdict


def test_only_the_next_batch_is_taken() -> None:
    inlet = Inlet()
    assert inlet.judge(2, 2) is Verdict.MISSING
    assert inlet.judge(1, 1) is Verdict.ACCEPT
    assert inlet.judge(1, 1) is Verdict.DUPLICATE
    assert inlet.judge(2, 2) is Verdict.ACCEPT


def test_a_declared_gap_moves_the_cursor_over_what_is_gone() -> None:
    inlet = Inlet(3, 3)
    assert inlet.judge(2, 9) is Verdict.ACCEPT
    assert inlet.taken == 9


def test_nothing_goes_out_beyond_the_window() -> None:
    outlet = Outlet(last=1000)
    assert outlet.due() == (1, WINDOW)
    outlet.sent = WINDOW
    assert outlet.due() == (WINDOW + 1, WINDOW)
    outlet.watermark(10)
    assert outlet.due() == (WINDOW + 1, WINDOW + 10)


def test_a_lower_watermark_sends_again_what_an_old_backup_forgot() -> None:
    outlet = Outlet(last=100, acknowledged=90, sent=95, lowest=20)
    outlet.watermark(40)
    assert outlet.due()[0] == 41
    assert outlet.missing() is None


def test_what_the_spool_no_longer_has_is_declared() -> None:
    outlet = Outlet(last=100, acknowledged=90, sent=95, lowest=61)
    outlet.watermark(40)
    assert outlet.missing() == (41, 60)


def test_a_watermark_above_everything_is_not_believed() -> None:
    outlet = Outlet(last=5, acknowledged=2)
    outlet.watermark(9)
    assert outlet.acknowledged == 2
