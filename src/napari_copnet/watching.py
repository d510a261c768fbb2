"""Progress of long work where people work: in a notebook, or in a terminal."""

from __future__ import annotations

import contextlib
import html
import sys
from typing import Any

from napari_copnet.foreign_text import printable
from napari_copnet.progress import Progress, Result, Steps, finish


def watch(work: Steps[Result]) -> Result:
    """Run a step to its end, with a progress bar for each part, and print its notes.

    Parameters
    ----------
    work : generator of Progress
        As for `finish`. In a notebook the bars stand below the cell, in a terminal on standard
        error. Interrupting the cell or the program cancels the work.
    """
    with contextlib.closing(work), _bars() as bars:
        return finish(work, bars.show)


def _bars() -> Any:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    # Only shells of notebooks have a kernel.
    return _NotebookBars() if getattr(shell, "kernel", None) is not None else TerminalBars()


class TerminalBars:
    """Bars and notes on standard error, or on a console of rich."""

    def __init__(self, console: Any = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeRemainingColumn(),
        )
        self._bar = Bar(*columns, console=console or Console(stderr=True), transient=False)
        self._tasks: dict[str, Any] = {}
        self._seen: set[str] = set()

    def __enter__(self) -> TerminalBars:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Show how far a step has come; a note is printed once."""
        bar, tasks = self._bar, self._tasks
        if progress.note and progress.note not in self._seen:
            self._seen.add(progress.note)
            bar.console.print(printable(progress.note), markup=False)
        if not progress.unit and progress.step in tasks:
            task = bar.tasks[tasks[progress.step]]
            bar.update(task.id, completed=task.total)
            return
        if progress.step not in tasks:
            tasks[progress.step] = bar.add_task(progress.step, unit=progress.unit)
        bar.update(
            tasks[progress.step],
            completed=progress.done,
            total=progress.total or None,
            unit=progress.unit,
        )


class _NotebookBars:
    """Bars and notes below a cell, as HTML: no widget, so they are kept with the notebook."""

    def __init__(self) -> None:
        from IPython.display import display

        self._rows: dict[str, Progress] = {}
        self._notes: dict[str, None] = {}
        self._handle: Any = display(_Html(""), display_id=True)

    def __enter__(self) -> _NotebookBars:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, progress: Progress) -> None:
        if progress.note:
            self._notes[progress.note] = None
        if progress.unit or progress.step not in self._rows:
            self._rows[progress.step] = progress
        rows = [
            f"<tr><td>{html.escape(row.step)}</td>"
            f'<td><progress value="{row.done:g}" max="{row.total or 1:g}"></progress></td>'
            f"<td>{row.done:g}/{row.total:g} {html.escape(row.unit)}</td></tr>"
            for row in self._rows.values()
        ]
        notes = [f"<p>{html.escape(note)}</p>" for note in self._notes]
        self._handle.update(_Html(f"<table>{''.join(rows)}</table>{''.join(notes)}"))


class _Html:
    """What a notebook shows as HTML."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        return self._text
