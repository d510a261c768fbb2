"""The `copnet` command. Each module adds the commands of one subject to `app`."""

from __future__ import annotations

from types import ModuleType

import typer

app = typer.Typer(
    name="copnet",
    help="Individually labelled cells from scanning electron microscopy stacks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def modules() -> tuple[ModuleType, ...]:
    """Return the modules of the commands, in the order of the help."""
    from napari_copnet.cli import (
        annotate,
        baselines,
        bench,
        demo,
        evaluate,
        finetune,
        grid_search,
        model,
        run,
        session,
        sizes,
        steps,
        train,
    )

    return (
        demo,
        run,
        steps,
        sizes,
        train,
        annotate,
        finetune,
        grid_search,
        evaluate,
        baselines,
        model,
        session,
        bench,
    )


def main() -> None:
    """Run the command line."""
    for module in modules():
        module.add_to(app)
    app()
