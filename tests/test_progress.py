"""Long work as a generator: run to its end, and with its progress told otherwise."""

from napari_copnet.progress import Progress, finish, mapped


def counting(closed):
    try:
        for number in range(3):
            yield Progress("count", number, 3)
        return "done"
    finally:
        closed.append(True)


def test_progress_is_changed_or_left_out_and_the_result_kept():
    seen, closed = [], []

    def doubled(told):
        return None if told.done == 1 else Progress("double", 2 * told.done, 6)

    assert finish(mapped(counting(closed), doubled), seen.append) == "done"
    assert [(told.step, told.done) for told in seen] == [("double", 0), ("double", 4)]


def test_closing_it_closes_the_work():
    closed = []
    work = mapped(counting(closed), lambda told: told)
    next(work)
    work.close()
    assert closed == [True]
