"""The `copnet` command. Each module adds the commands of one subject to `app`."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="copnet",
    help="Individually labelled cells from scanning electron microscopy stacks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    from napari_copnet.cli import bench, demo, evaluate, model, run, session, steps, train

    for module in (demo, run, steps, train, evaluate, model, session, bench):
        module.add_to(app)
    app()
