"""The `copnet` command. Each module adds the commands of one subject to `app`.

Options are built from `params`; a command reads its input, calls what a Python user would call,
shows progress and notes on standard error, and the result, on request as JSON, on standard output.
"""

from __future__ import annotations

from types import ModuleType

import typer

# Former names of options: they still work, but only the present names are shown.
_FORMER_OPTIONS = {"made": "synthetic", "harder": "artefacts", "no-harder": "no-artefacts"}


def _present_name(word: str) -> str:
    return _FORMER_OPTIONS.get(word, word)


app = typer.Typer(
    name="copnet",
    help="Instance segmentation of cells in scanning electron microscopy stacks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"token_normalize_func": _present_name},
)


def modules() -> tuple[ModuleType, ...]:
    """Return the modules of the commands, in the order of the help."""
    from napari_copnet.cli import (
        annotate_commands,
        baselines_command,
        demo_command,
        evaluate_command,
        export_command,
        finetune_command,
        grid_search_command,
        measure_command,
        model_commands,
        rerun_command,
        run_command,
        session_commands,
        sizes_command,
        step_commands,
        thresholds_command,
        train_commands,
    )

    return (
        demo_command,
        run_command,
        step_commands,
        sizes_command,
        thresholds_command,
        train_commands,
        annotate_commands,
        finetune_command,
        grid_search_command,
        evaluate_command,
        baselines_command,
        model_commands,
        session_commands,
        measure_command,
        export_command,
        rerun_command,
    )


def main() -> None:
    """Run the command line."""
    for module in modules():
        module.add_to(app)
    app()
